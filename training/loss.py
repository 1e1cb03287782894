"""Cross-entropy of the next token without ever holding all logits.

The logits of a batch would take more memory than the network; here they are made a chunk of
positions at a time, forward and gradient in one go.

Tensor legend: N positions, C embedding width, V vocabulary.
"""

from typing import Any

import torch
from torch import Tensor

CHUNK_LOGITS = 1 << 25  # elements: 64 MiB in bfloat16


def _chunks(n_positions: int, vocab_size: int) -> list[slice]:
    size = max(1, CHUNK_LOGITS // vocab_size)
    return [slice(start, start + size) for start in range(0, n_positions, size)]


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of ``hidden @ weight.T`` against ``targets``, and each position's."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        losses = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros(weight.shape, dtype=torch.float32, device=weight.device)
        for rows in _chunks(len(hidden), len(weight)):
            logits = hidden[rows] @ weight.t()  # [chunk, V]
            target = targets[rows, None]
            gradient = torch.softmax(logits, dim=-1)
            losses[rows] = _losses(logits, gradient, target)
            gradient.scatter_(-1, target, torch.expm1(-losses[rows, None]).to(gradient.dtype))
            grad_hidden[rows] = gradient @ weight
            grad_weight += gradient.t() @ hidden[rows]
        ctx.save_for_backward(grad_hidden, grad_weight)
        ctx.mark_non_differentiable(losses)
        return losses.mean(), losses

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        factor = grads[0] / len(grad_hidden)  # in one go: float16 would lose the mean alone
        return grad_hidden * factor, (grad_weight * factor).to(grad_hidden.dtype), None


def _losses(logits: Tensor, probabilities: Tensor, target: Tensor) -> Tensor:
    """Returns ``[chunk]``; the normaliser is the likeliest token's, which cannot underflow."""
    log_norm = logits.amax(-1).float() - probabilities.amax(-1).float().log()
    return log_norm - logits.gather(-1, target)[:, 0].float()


def next_token_loss(hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the mean loss in nats, and each position's ``[N]`` (float32, without gradients).

    Args:
        hidden: ``[N, C]``.
        weight: The output layer, ``[V, C]``.
        targets: ``[N]`` ids.
    """
    mean, losses = _ChunkedCrossEntropy.apply(hidden, weight, targets)  # type: ignore[no-untyped-call]
    return mean, losses


def token_losses(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Returns each position's loss ``[N]`` in nats, in full precision, without gradients."""
    parts = []
    with torch.no_grad():
        for rows in _chunks(len(hidden), len(weight)):
            logits = (hidden[rows] @ weight.t()).float()
            log_norm = torch.logsumexp(logits, dim=-1)
            parts.append(log_norm - logits.gather(-1, targets[rows, None])[:, 0])
    return torch.cat(parts)
