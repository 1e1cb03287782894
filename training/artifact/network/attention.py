"""Causal attention within documents, in the form that is fastest on the device.

On a CPU, torch's fused kernel spends as much time above the diagonal as below it, and its backward
pass is slow. Here the queries are cut into blocks that attend only to their own past, and a manual
backward pass reuses the probabilities (a benchmark compares both). GPUs use a kernel that skips
other documents when they train, and torch's fused one otherwise. All give the same values, as tests
check.

Tensor legend: B batch, H heads, T tokens, D width of one head; in a span N sequences (rows times
heads) of L tokens; Q queries of one block that ends at E.
"""

import itertools
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from training.artifact.network.document_spans import DocumentSpans, Span

BLOCK_QUERIES = 256
# None for one document a row; spans on CPUs, a mask by tiles (BlockMask) or a dense one elsewhere.
Boundaries = Any


def causal_attention(
    qkv: Tensor, documents: DocumentSpans | None, *, dropout: float = 0.0
) -> Tensor:
    """Returns the attention output ``[B, T, H, D]``.

    Args:
        qkv: Queries, keys and values from the joint layer, ``[B, T, 3, H, D]``.
        documents: Document boundaries; None if every row is one document.
        dropout: The share of attention's weights to drop.
    """
    boundaries = select_boundaries(documents, qkv.device, qkv.shape[-1], dropout=dropout)
    return attend(qkv, boundaries, dropout=dropout)


def select_boundaries(
    documents: DocumentSpans | None, device: torch.device, head_width: int, *, dropout: float = 0.0
) -> Boundaries:
    """Returns document boundaries as the fastest kernel on a device takes them, for all layers."""
    if documents is None:
        return None
    if dropout:  # only the fused kernel drops weights
        return documents.mask
    if device.type == "cpu":
        return documents.spans
    if torch.is_grad_enabled():
        # Imported here because it takes seconds, which a server does not have.
        from training.artifact.network.flex_attention import (  # noqa: PLC0415
            has_flex_kernel,
            tile_documents,
        )

        if has_flex_kernel(device, head_width):
            return tile_documents(documents.firsts)
    return documents.mask


def attend(qkv: Tensor, boundaries: Boundaries, *, dropout: float = 0.0) -> Tensor:
    """:func:`causal_attention` with what :func:`select_boundaries` returned."""
    if qkv.device.type == "cpu" and not dropout:
        y: Tensor = _attend_by_spans(qkv, boundaries)
        return y
    if boundaries is None or isinstance(boundaries, Tensor):
        return fused_attention(qkv, boundaries, dropout=dropout)
    from training.artifact.network.flex_attention import attend_within_tiles  # noqa: PLC0415

    return attend_within_tiles(qkv, boundaries)


def fused_attention(qkv: Tensor, mask: Tensor | None, *, dropout: float = 0.0) -> Tensor:
    """:func:`causal_attention` by torch's own kernel; ``mask`` is ``[B, 1, T, T]`` booleans."""
    q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each [B, H, T, D]
    y = functional.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, is_causal=mask is None, dropout_p=dropout
    )
    return y.transpose(1, 2)


def _attend_by_spans(qkv: Tensor, spans: Any) -> Tensor:
    """The CPU's form."""
    if spans is None:
        spans = DocumentSpans.one_per_row(qkv.shape[0], qkv.shape[1], qkv.device).spans
    y: Tensor = _SpanAttention.apply(qkv, spans)  # type: ignore[no-untyped-call]
    return y


class _SpanAttention(torch.autograd.Function):
    """Attention one span at a time; spans are independent of each other."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, spans: list[Span]) -> Tensor:
        y = torch.empty_like(qkv[:, :, 0], memory_format=torch.contiguous_format)
        q, k, v = qkv.unbind(2)
        kept: list[Tensor] = []
        for span in spans:
            parts = (span.take(q) * q.shape[-1] ** -0.5, span.take(k), span.take(v))
            out, probabilities = _forward(*parts)
            span.put(y, out)
            kept += [*parts, *probabilities]
        ctx.save_for_backward(*kept)
        ctx.spans = spans
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (dy,) = grads
        b, t, h, d = dy.shape
        dqkv = dy.new_empty(b, t, 3, h, d)
        kept = list(ctx.saved_tensors)
        for span in ctx.spans:
            n_blocks = len(_edges(span.end - span.start)) - 1
            q, k, v, *probabilities = kept[: 3 + n_blocks]
            kept = kept[3 + n_blocks :]
            dq, dk, dv = _backward(span.take(dy), q, k, v, probabilities)
            for part, gradient in enumerate((dq.mul_(d**-0.5), dk, dv)):
                span.put(dqkv[:, :, part], gradient)
        return dqkv, None


def _forward(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Returns outputs ``[N, L, D]`` and each block's probabilities ``[N, Q, E]``; q is scaled."""
    y = torch.empty_like(v)
    edges = _edges(q.shape[1])
    size = edges[1]
    future = torch.full((size, size), -torch.inf, dtype=q.dtype).triu(1)
    kept = []
    for start, end in itertools.pairwise(edges):
        scores = q[:, start:end] @ k[:, :end].transpose(1, 2)
        scores[:, :, start:] += future[: end - start, : end - start]
        kept.append(torch.softmax(scores, dim=-1))
        y[:, start:end] = kept[-1] @ v[:, :end]
    return y, kept


def _backward(
    dy: Tensor, q: Tensor, k: Tensor, v: Tensor, kept: list[Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the gradients of the scaled queries, the keys and the values, ``[N, L, D]`` each."""
    dq, dk, dv = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
    edges = _edges(q.shape[1])
    for start, end, p in zip(edges, edges[1:], kept, strict=False):
        rows = slice(start, end)
        dv[:, :end] += p.transpose(1, 2) @ dy[:, rows]
        dp = dy[:, rows] @ v[:, :end].transpose(1, 2)
        ds = torch.ops.aten._softmax_backward_data(dp, p, -1, p.dtype)  # noqa: SLF001 - fused
        dq[:, rows] = ds @ k[:, :end]
        dk[:, :end] += ds.transpose(1, 2) @ q[:, rows]
    return dq, dk, dv


def _edges(n_tokens: int) -> list[int]:
    """Returns where the blocks of queries begin, and the end of the last one."""
    return [*range(0, n_tokens, BLOCK_QUERIES), n_tokens]
