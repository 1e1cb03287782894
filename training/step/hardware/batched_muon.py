"""Muon for GPUs: matrices of one shape are orthogonalised together.

A network has a dozen matrices of each shape; one by one, their small products leave a GPU idle and
cost a launch each. The arithmetic and the state are those of ``torch.optim.Muon``, which CPUs and
sharded networks use: a CPU gains nothing, and its results stay the same bit for bit.

Tensor legend: M matrices of one shape, R rows, C columns.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_WIDEST_CHUNK = 1 << 28  # elements orthogonalised at once: half a GiB in bfloat16


class BatchedMuon(torch.optim.Muon):
    """``torch.optim.Muon`` with one Newton-Schulz iteration for all matrices of a shape.

    Groups need ``adjust_lr_fn="match_rms_adamw"``.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Updates all parameters that have a gradient."""
        assert closure is None
        for group in self.param_groups:
            parameters: list[Tensor] = []
            gradients: list[Tensor] = []
            momenta: list[Tensor] = []
            self._init_group(group, parameters, gradients, momenta)
            if not parameters:
                continue
            torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
            updates = momenta
            if group["nesterov"]:
                updates = list(torch._foreach_lerp(gradients, momenta, group["momentum"]))  # noqa: SLF001
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            for members in _group_by_shape(parameters):
                update = orthogonalise(torch.stack([updates[i] for i in members]), group)
                rate = 0.2 * max(update.shape[1:]) ** 0.5 * group["lr"]
                for index, change in zip(members, update, strict=True):
                    parameters[index].add_(change, alpha=-rate)


def orthogonalise(matrices: Tensor, group: dict[str, Any]) -> Tensor:
    """Returns the matrices ``[M, R, C]`` with singular values near 1, in bfloat16."""
    a, b, c = group["ns_coefficients"]
    x = matrices.bfloat16()
    is_tall = x.shape[1] > x.shape[2]
    if is_tall:
        x = x.mT
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=group["eps"])
    for _ in range(group["ns_steps"]):
        gram = x @ x.mT  # [M, R, R]
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if is_tall else x


def _group_by_shape(parameters: list[Tensor]) -> list[list[int]]:
    """Returns the indices of equal shapes, in chunks whose matrices fit in memory together."""
    found: dict[torch.Size, list[int]] = {}
    for index, parameter in enumerate(parameters):
        found.setdefault(parameter.shape, []).append(index)
    chunks = []
    for shape, members in found.items():
        size = max(1, _WIDEST_CHUNK // shape.numel())
        chunks += [members[start : start + size] for start in range(0, len(members), size)]
    return chunks
