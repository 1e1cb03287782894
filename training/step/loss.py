"""Cross-entropy of the next token without ever holding all logits.

The logits of a batch would take more memory than the network; here they are made a chunk of
positions at a time, forward and gradient in one go. A chunk never reaches over a block's edge, so
what is computed for a block does not depend on the batch it comes in.

The loss is always exact. Its gradient may be estimated: pushing down the rare tokens, of which each
has next to no probability, costs as much as all the rest of the output layer. With ``n_slices`` > 1
a chunk does that for the frequent eighth of the vocabulary and for one slice of the rest, weighed
``n_slices`` times; which slice is a function of the chunk's own tokens. Each position's own target
is always exact, and over all slices the mean of the estimate is the gradient.

Tensor legend: B blocks, T tokens of a block, N positions of a chunk, C width, V vocabulary.

Source: sampled softmax, Bengio and Senecal 2008, "Adaptive importance sampling to accelerate
training of a neural probabilistic language model", with strata instead of single samples.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

CHUNK_LOGITS = 1 << 25  # elements: 64 MiB in bfloat16
FREQUENT = 8  # one token in so many, the first ids: a BPE learns frequent tokens first
IGNORED = -100  # a target that is none, as torch's cross-entropy has it
Columns = tuple[slice, int]  # part of the vocabulary, and how often it counts


def next_token_loss(
    hidden: Tensor, weight: Tensor, targets: Tensor, *, n_slices: int = 1
) -> tuple[Tensor, Tensor]:
    """Returns the mean loss in nats, and each position's ``[B, T]`` (float32, without gradients).

    Args:
        hidden: ``[B, T, C]``.
        weight: The output layer, ``[V, C]``; ids in order of frequency, about, if n_slices > 1.
        targets: ``[B, T]`` ids; ``IGNORED`` ones have no loss and count nowhere.
        n_slices: Into how many the rare tokens are cut; 1 for the exact gradient.
    """
    mean, losses = _ChunkedCrossEntropy.apply(hidden, weight, targets, n_slices)  # type: ignore[no-untyped-call]
    return mean, losses


def token_losses(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Returns each position's loss ``[N]`` in nats, in full precision, without gradients.

    Args:
        hidden: ``[N, C]``.
        weight: The output layer, ``[V, C]``.
        targets: ``[N]`` ids.
    """
    parts = []
    with torch.no_grad():
        for rows in _chunks(len(hidden), len(weight)):
            logits = (hidden[rows] @ weight.t()).float()
            log_norm = torch.logsumexp(logits, dim=-1)
            parts.append(log_norm - logits.gather(-1, targets[rows, None])[:, 0])
    return torch.cat(parts)


def columns_of(targets: Tensor, vocab_size: int, n_slices: int) -> list[Columns]:
    """Returns the parts of the vocabulary that a chunk with these targets computes gradients of."""
    if n_slices == 1:
        return [(slice(0, vocab_size), 1)]
    frequent = vocab_size // FREQUENT
    width = -(-(vocab_size - frequent) // n_slices)
    start = frequent + width * (int(targets.sum()) % n_slices)
    return [(slice(0, frequent), 1), (slice(start, min(start + width, vocab_size)), n_slices)]


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of ``hidden @ weight.T`` against ``targets``, and each position's."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, n_slices: int
    ) -> tuple[Tensor, Tensor]:
        losses = torch.empty(targets.shape, dtype=torch.float32, device=hidden.device)
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros(weight.shape, dtype=torch.float32, device=weight.device)
        for block in range(len(targets)):
            for rows in _chunks(targets.shape[1], len(weight)):
                at = (block, rows)
                columns = columns_of(targets[at], len(weight), n_slices)
                losses[at], grad_hidden[at] = _one_chunk(
                    hidden[at], weight, targets[at], grad_weight, columns
                )
        n_counted = (targets != IGNORED).sum()
        ctx.save_for_backward(grad_hidden, grad_weight, n_counted)
        ctx.mark_non_differentiable(losses)
        return losses.sum() / n_counted, losses

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_hidden, grad_weight, n_counted = ctx.saved_tensors
        factor = grads[0] / n_counted  # in one go: float16 would lose the mean alone
        grad_weight = (grad_weight * factor).to(grad_hidden.dtype)
        return grad_hidden * factor, grad_weight, None, None


def _one_chunk(
    hidden: Tensor, weight: Tensor, targets: Tensor, grad_weight: Tensor, columns: list[Columns]
) -> tuple[Tensor, Tensor]:
    """Adds to ``grad_weight`` in place; returns the losses ``[N]`` and their sum's gradient."""
    counts = targets != IGNORED
    probabilities = torch.softmax(hidden @ weight.t(), dim=-1)  # [N, V]
    each, targets = torch.arange(len(targets), device=targets.device), targets.clamp_min(0)
    chosen = probabilities[each, targets].float()
    losses = -chosen.clamp_min(torch.finfo(probabilities.dtype).tiny).log() * counts
    # By index: scatter_ and a mask of rows would walk through all of the vocabulary.
    probabilities[each, targets] = 0.0
    probabilities[(~counts).nonzero()[:, 0]] = 0.0
    pull = torch.expm1(-losses)[:, None]  # p - 1 of the target, also where p is nearly 1
    grad_hidden = pull * weight[targets]
    grad_weight.index_add_(0, targets, pull * hidden)
    for part, times in columns:
        push = probabilities[:, part].contiguous()
        if times != 1:
            push *= times
        grad_hidden += push @ weight[part]
        grad_weight[part] += push.t() @ hidden
    return losses, grad_hidden


def _chunks(n_positions: int, vocab_size: int) -> Iterator[slice]:
    size = max(1, CHUNK_LOGITS // vocab_size)
    for start in range(0, n_positions, size):
        yield slice(start, start + size)
