"""Attention within documents on GPUs: a kernel that skips what a mask excludes, and no dense mask.

The kernel works on tiles of 128 queries and 128 keys. For each tile a mask by tiles says whether to
skip it, to compute it whole or to look at every pair; that takes ``(T / 128)²`` numbers a row
instead of ``T²``, and the time of the tiles that are not skipped. The tiles follow from the
documents' first tokens, without looking at pairs.

Importing this module takes seconds; only ``training.artifact.network.attention`` does, when it has
a GPU to use it on.

Tensor legend: B rows, H heads, T tokens, D width of one head, N tiles of a row.

Source: Dong et al. 2024, "Flex Attention", arXiv:2412.05496, as
``torch.nn.attention.flex_attention``.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

TILE = 128
SMALLEST_HEAD = 16  # of which the kernel's products are made
_MAX_REASON_CHARS = 300
_FLEX_ATTENTION: Any = flex_attention


def has_flex_kernel(device: torch.device, head_width: int) -> bool:
    """Says whether the kernel can be built for heads of this width on a device."""
    is_known = device.type in {"cuda", "xpu"} and head_width >= SMALLEST_HEAD
    return is_known and find_code_obstacle(device.type) is None


@functools.cache
def find_code_obstacle(device_type: str) -> str | None:
    """Returns why PyTorch cannot generate code for a device, or None, by letting it do so once.

    It needs Triton or a C++ compiler, headers of Python, a folder to write into: what is missing
    shows only there.
    """
    try:
        torch.compile(_double, dynamic=False)(torch.ones(8, device=device_type))
    except Exception as error:  # noqa: BLE001 - compilers and drivers raise anything
        lines = [line for line in str(error).splitlines() if line.strip()]
        return lines[0][:_MAX_REASON_CHARS] if lines else type(error).__name__
    return None


def _double(x: Tensor) -> Tensor:
    return 2 * x


def tile_documents(firsts: Tensor) -> BlockMask:
    """Returns the mask by tiles of causal attention within documents.

    Args:
        firsts: ``[B, T]``, for each token the index of its document's first token in the row.
    """
    n_tokens = firsts.shape[1]
    starts = torch.arange(0, n_tokens, TILE, device=firsts.device)  # [N]
    ends = (starts + TILE).clamp_max(n_tokens) - 1
    queries, keys = (slice(None), None), (None, slice(None))  # [N, 1] and [1, N]
    # The first tokens of a row never decrease, so a tile's first query reaches back the farthest.
    farthest, nearest = firsts[:, starts], firsts[:, ends]  # [B, N]
    some = (ends[keys] >= farthest[:, :, None]) & (starts[keys] <= ends[queries])
    # A last, partial tile is looked at pair by pair.
    is_whole = starts + TILE <= n_tokens
    full = (starts[keys] >= nearest[:, :, None]) & (ends[keys] <= starts[queries])
    full &= is_whole[queries] & is_whole[keys]
    return BlockMask.from_kv_blocks(
        *_list_tiles(some & ~full),
        *_list_tiles(full),
        BLOCK_SIZE=TILE,
        mask_mod=mask_within(firsts),
        seq_lengths=(n_tokens, n_tokens),
    )


def mask_within(firsts: Tensor) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """Returns the rule for one pair: not the future, and not before the query's document."""

    def may_attend(row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (key <= query) & (key >= firsts[row, query])

    return may_attend


def attend_within_tiles(qkv: Tensor, mask: BlockMask) -> Tensor:
    """Returns the attention output ``[B, T, H, D]`` for ``qkv`` ``[B, T, 3, H, D]``."""
    q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each [B, H, T, D]
    # In a layer that is being compiled the kernel becomes part of it.
    kernel = _FLEX_ATTENTION if torch.compiler.is_compiling() else _compile_kernel()
    y: Tensor = kernel(q, k, v, block_mask=mask)
    return y.transpose(1, 2)


@functools.cache
def _compile_kernel() -> Callable[..., Any]:
    return torch.compile(_FLEX_ATTENTION, dynamic=False)


def _list_tiles(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Returns how many tiles of keys each tile of queries has, and their numbers first in order.

    Args:
        chosen: ``[B, N, N]``.
    """
    counts = chosen.sum(-1, dtype=torch.int32)[:, None]  # [B, 1, N]
    numbers = chosen.int().argsort(dim=-1, descending=True, stable=True)[:, None]
    return counts, numbers.to(torch.int32)  # [B, 1, N, N]
