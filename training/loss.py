"""Cross-entropy of the next token without ever holding all logits.

The logits of a batch would take more memory than the network; here they are made a chunk of
positions at a time, forward and gradient in one go.

Tensor legend: N positions, C embedding width, V vocabulary.
"""

from typing import Any

import torch
from torch import Tensor

CHUNK_POSITIONS = 1024


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of ``hidden @ weight.T`` against ``targets``."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        n = hidden.shape[0]
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros(weight.shape, dtype=torch.float32, device=weight.device)
        for start in range(0, n, CHUNK_POSITIONS):
            rows = slice(start, start + CHUNK_POSITIONS)
            logits = (hidden[rows] @ weight.t()).float()  # [chunk, V]
            target = targets[rows, None]
            log_norm = torch.logsumexp(logits, dim=-1, keepdim=True)
            total += (log_norm - logits.gather(-1, target)).sum()
            gradient = logits.sub_(log_norm).exp_()  # softmax, in place
            gradient.scatter_add_(-1, target, torch.full_like(log_norm, -1.0))
            gradient = gradient.mul_(1.0 / n).to(hidden.dtype)
            grad_hidden[rows] = gradient @ weight
            grad_weight += gradient.t() @ hidden[rows]
        ctx.save_for_backward(grad_hidden, grad_weight.to(weight.dtype))
        return total / n

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        return grad_hidden * grads[0], grad_weight * grads[0], None


def next_token_loss(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Returns the mean loss in nats.

    Args:
        hidden: ``[N, C]``.
        weight: The output layer, ``[V, C]``.
        targets: ``[N]`` ids.
    """
    loss: Tensor = _ChunkedCrossEntropy.apply(hidden, weight, targets)  # type: ignore[no-untyped-call]
    return loss


def token_losses(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Returns each position's loss ``[N]`` in nats, without gradients."""
    parts = []
    with torch.no_grad():
        for start in range(0, hidden.shape[0], CHUNK_POSITIONS):
            rows = slice(start, start + CHUNK_POSITIONS)
            logits = (hidden[rows] @ weight.t()).float()
            log_norm = torch.logsumexp(logits, dim=-1)
            parts.append(log_norm - logits.gather(-1, targets[rows, None])[:, 0])
    return torch.cat(parts)
