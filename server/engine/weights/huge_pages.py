"""Memory in large pages for what is read at each token.

A token reads all weights and all keys and values. In pages of 4 KiB these lie at thousands of
addresses, more than a processor keeps translated, and after a pause of the typist none is. Linux
gives pages of 2 MiB to memory that asks for them, if it was built with them; elsewhere, and on
GPUs, tensors stay as they are.
"""

import contextlib
import mmap
from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

_PAGE_BYTES = 2 << 20
_BLOCK_BYTES = 64 << 20  # of addresses; only pages that are written to take memory
_ALIGNMENT = 64


def make_zeros(
    shape: Sequence[int], dtype: torch.dtype, device: torch.device | None = None
) -> Tensor:
    """Returns zeros on a device; None for the CPU."""
    n_bytes = prod(shape) * dtype.itemsize
    is_cpu = device is None or device.type == "cpu"
    if not n_bytes or not is_cpu or not _can_ask():
        return torch.zeros(*shape, dtype=dtype, device=device)
    return _map(n_bytes).view(dtype).view(*shape)


class HugePages:
    """Holds tensors one after the other, so that small ones share a page."""

    def __init__(self) -> None:
        self._free = torch.empty(0, dtype=torch.uint8)

    def hold(self, tensor: Tensor) -> Tensor:
        """Returns the tensor in one piece, and on a CPU with large pages a copy in them."""
        if tensor.device.type != "cpu" or not _can_ask():
            return tensor.contiguous()
        if tensor.nbytes > len(self._free):
            self._free = make_zeros([max(tensor.nbytes, _BLOCK_BYTES)], torch.uint8)
        held = self._free[: tensor.nbytes].view(tensor.dtype).view(tensor.shape)
        self._free = self._free[-(-tensor.nbytes // _ALIGNMENT) * _ALIGNMENT :]
        return held.copy_(tensor)


def _can_ask() -> bool:
    return hasattr(mmap, "MADV_HUGEPAGE")


def _map(n_bytes: int) -> Tensor:
    """Returns zeroed bytes that begin at a large page, or where one would begin."""
    memory = mmap.mmap(-1, n_bytes + _PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a kernel without such pages; the memory is as good
        memory.madvise(mmap.MADV_HUGEPAGE)
    everything = torch.frombuffer(memory, dtype=torch.uint8)
    start = -everything.data_ptr() % _PAGE_BYTES
    return everything[start : start + n_bytes]
