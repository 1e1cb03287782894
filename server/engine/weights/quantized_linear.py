"""Linear layers in floating point or in 8-bit integers, which are a quarter of the memory to read.

Generating one token reads every weight once, so the time per token is proportional to the size of
the weights. In int8, each output column has a scale, and so has each input row. The integer
products are exact, so a row's result does not depend on the other rows: computing tokens one at a
time gives the same values as computing them at once.

Tensor legend: T rows, I input width, O output width.

Source: Dettmers et al. 2022, "LLM.int8()", arXiv:2208.07339 (row-wise and column-wise scales).
"""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from server.engine.weights.huge_pages import HugePages
from server.engine.weights.precision import Precision

_LARGEST = torch.tensor(127.0)  # a tensor: dividing by a number makes one each time
_TINY = 1e-8


class Linear(Protocol):
    """An affine map."""

    def __call__(self, x: Tensor) -> Tensor:
        """Maps float32 ``[..., I]`` to float32 ``[..., O]``."""


def make_linear(
    weight: Tensor, bias: Tensor | None, precision: Precision, pages: HugePages
) -> Linear:
    """Returns the layer with ``weight`` ``[O, I]`` and ``bias`` ``[O]``, or without bias.

    Its weight is held in ``pages``, unless it can be used as it is.
    """
    if precision == "int8":
        return _Int8Linear(weight.float(), bias, pages)
    return _FloatLinear(weight, bias, getattr(torch, precision), pages)


class _FloatLinear:
    def __init__(
        self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype, pages: HugePages
    ) -> None:
        converted = weight.to(dtype).contiguous()
        self._weight = converted if converted is weight else pages.hold(converted)
        self._bias = None if bias is None else bias.to(dtype)

    def __call__(self, x: Tensor) -> Tensor:
        return functional.linear(x.to(self._weight.dtype), self._weight, self._bias).float()


class _Int8Linear:
    def __init__(self, weight: Tensor, bias: Tensor | None, pages: HugePages) -> None:
        largest = torch.linalg.vector_norm(weight, float("inf"), dim=1)
        self._scales = (largest / _LARGEST).clamp(min=_TINY)  # [O]
        rounded = (weight / self._scales[:, None]).round().to(torch.int8)
        self._weight = pages.hold(rounded).t()  # [I, O], the fastest layout for products
        self._bias = torch.zeros(()) if bias is None else bias.float()

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])  # [T, I]
        largest = rows.abs().amax(dim=1, keepdim=True)  # a vector norm takes ten times as long
        scales = largest.clamp_(min=_TINY).div_(_LARGEST)  # [T, 1]
        integers = rows.div(scales).round_().to(torch.int8)
        products = torch._int_mm(integers, self._weight)  # [T, O], exact  # noqa: SLF001
        outputs = torch.addcmul(self._bias, products.float().mul_(self._scales), scales)
        return outputs.view(*x.shape[:-1], -1)
