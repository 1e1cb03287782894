"""The network's matrices: as floats, or as 8-bit integers, a quarter of the memory to read.

One token a step reads every matrix once, so what a step takes is what its matrices weigh. Integers
have one scale a column of the output, and each row of the input one of its own; their products are
exact, so a row's result does not depend on the rows beside it: what was computed a token at a time
equals what is computed all at once.

Tensor legend: T rows, I width of the input, O width of the output.

Source: Dettmers et al. 2022, "LLM.int8()", arXiv:2208.07339 (a scale a row and a scale a column).
"""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from server.engine.precision import Precision

_LARGEST = 127
_TINY = 1e-8


class Matrix(Protocol):
    """An affine map."""

    def __call__(self, x: Tensor) -> Tensor:
        """Maps float32 ``[..., I]`` to float32 ``[..., O]``."""


def make_matrix(weight: Tensor, bias: Tensor | None, precision: Precision) -> Matrix:
    """Returns the map of ``weight`` ``[O, I]`` and ``bias`` ``[O]`` (None for none)."""
    if precision == "int8":
        return _Int8Matrix(weight.float(), bias)
    return _FloatMatrix(weight, bias, getattr(torch, precision))


class _FloatMatrix:
    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> None:
        self._weight = weight.to(dtype).contiguous()
        self._bias = None if bias is None else bias.to(dtype)

    def __call__(self, x: Tensor) -> Tensor:
        return functional.linear(x.to(self._weight.dtype), self._weight, self._bias).float()


class _Int8Matrix:
    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        largest = torch.linalg.vector_norm(weight, float("inf"), dim=1)
        self._scales = (largest / _LARGEST).clamp(min=_TINY)  # [O]
        rounded = (weight / self._scales[:, None]).round().to(torch.int8)
        self._weight = rounded.contiguous().t()  # [I, O], the layout that products read fastest
        self._bias = torch.zeros(()) if bias is None else bias.float()

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])  # [T, I]
        largest = torch.linalg.vector_norm(rows, float("inf"), dim=1, keepdim=True)
        scales = largest.clamp_(min=_TINY).div_(_LARGEST)  # [T, 1]
        integers = rows.div(scales).round_().to(torch.int8)
        products = torch._int_mm(integers, self._weight)  # [T, O], exact  # noqa: SLF001
        outputs = torch.addcmul(self._bias, products.mul(self._scales), scales)
        return outputs.view(*x.shape[:-1], -1)
