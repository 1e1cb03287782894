"""Next-token cross-entropy that never holds all logits in memory.

The logits of a batch would need more memory than the network. Here they are computed for a chunk of
positions at a time, forward and gradient together. A chunk never crosses a block boundary, so the
result for a block does not depend on the rest of the batch.

The loss is always exact; its gradient may be an estimate. Pushing down rare tokens, each of which
has almost no probability, costs as much as the rest of the output layer. With ``n_slices`` > 1, a
chunk does that for the most frequent eighth of the vocabulary and for one slice of the rest, scaled
by ``n_slices``; the slice is a function of the chunk's own tokens. The gradient of each position's
target is always exact, and the estimate is unbiased over the slices. That is for CPUs: a GPU
computes all of it in fewer, larger products, because to look at the tokens would make it wait for
the host.

Tensor legend: B blocks, T tokens of a block, N positions of a chunk, C width, V vocabulary, R rows
of the output layer: the vocabulary and its padding.

Source: sampled softmax, Bengio and Senecal 2008, "Adaptive importance sampling to accelerate
training of a neural probabilistic language model", with strata instead of single samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

CHUNK_LOGITS = 1 << 25  # elements: 64 MiB in bfloat16
GPU_CHUNK_LOGITS = 1 << 28
FREQUENT = 8  # 1/8 of the vocabulary: the first ids, because BPE learns frequent tokens first
IGNORED = -100  # marks positions without a target, as in torch's cross-entropy


@dataclass(frozen=True, kw_only=True)
class OutputRows:
    """Which rows of the output layer are tokens, and in how many slices the rare ones are cut."""

    n_tokens: int
    n_slices: int


Columns = tuple[slice, int]  # a part of the vocabulary, and its weight


def next_token_loss(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    n_slices: int = 1,
    n_tokens: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Returns the mean loss in nats, and each position's loss ``[B, T]`` (float32, no gradients).

    Args:
        hidden: ``[B, T, C]``.
        weight: The output layer, ``[R, C]``; roughly ordered by frequency if n_slices > 1.
        targets: ``[B, T]`` ids; ``IGNORED`` ones are left out.
        n_slices: How many slices the rare tokens are cut into; 1 for the exact gradient, which GPUs
            always compute.
        n_tokens: V, the rows that are tokens; the others are padding without any probability.
            None for all.
    """
    rows = OutputRows(n_tokens=n_tokens or len(weight), n_slices=n_slices)
    mean, losses = _ChunkedCrossEntropy.apply(hidden, weight, targets, rows)  # type: ignore[no-untyped-call]
    return mean, losses


def token_losses(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Returns each position's loss ``[N]`` in nats, in full precision and without gradients.

    Args:
        hidden: ``[N, C]``.
        weight: The output layer, ``[V, C]``.
        targets: ``[N]`` ids.
    """
    parts = []
    with torch.no_grad():
        for rows in _split_positions(len(hidden), len(weight)):
            logits = (hidden[rows] @ weight.t()).float()
            log_norm = torch.logsumexp(logits, dim=-1)
            parts.append(log_norm - logits.gather(-1, targets[rows, None])[:, 0])
    return torch.cat(parts)


def select_columns(targets: Tensor, vocab_size: int, n_slices: int) -> list[Columns]:
    """Returns the parts of the vocabulary whose gradients a chunk with these targets computes."""
    if n_slices == 1:
        return [(slice(0, vocab_size), 1)]
    frequent = vocab_size // FREQUENT
    width = -(-(vocab_size - frequent) // n_slices)
    start = frequent + width * (int(targets.sum()) % n_slices)
    return [(slice(0, frequent), 1), (slice(start, min(start + width, vocab_size)), n_slices)]


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Cross-entropy of ``hidden @ weight.T`` against ``targets``: its mean, and each position's."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, rows: OutputRows
    ) -> tuple[Tensor, Tensor]:
        losses = torch.empty(targets.shape, dtype=torch.float32, device=hidden.device)
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros(weight.shape, dtype=torch.float32, device=weight.device)
        if hidden.device.type == "cpu":
            for block in range(len(targets)):
                for positions in _split_positions(targets.shape[1], len(weight)):
                    at = (block, positions)
                    losses[at], grad_hidden[at] = _compute_chunk(
                        hidden[at], weight, targets[at], grad_weight, rows
                    )
        else:
            flat, width = targets.flatten(), hidden.shape[-1]
            for part in _split_positions(len(flat), len(weight), GPU_CHUNK_LOGITS):
                losses.view(-1)[part], grad_hidden.view(-1, width)[part] = compute_whole_chunk(
                    hidden.reshape(-1, width)[part], weight, flat[part], grad_weight, rows.n_tokens
                )
        n_counted = (targets != IGNORED).sum()
        ctx.save_for_backward(grad_hidden, grad_weight, n_counted)
        ctx.mark_non_differentiable(losses)
        return losses.sum() / n_counted, losses

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_hidden, grad_weight, n_counted = ctx.saved_tensors
        factor = grads[0] / n_counted  # at once: in float16 the mean alone would underflow
        grad_weight = (grad_weight * factor).to(grad_hidden.dtype)
        return grad_hidden * factor, grad_weight, None, None


def _compute_chunk(
    hidden: Tensor, weight: Tensor, targets: Tensor, grad_weight: Tensor, rows: OutputRows
) -> tuple[Tensor, Tensor]:
    """Adds to ``grad_weight``; returns the losses ``[N]`` and the gradient of their sum."""
    columns = select_columns(targets, rows.n_tokens, rows.n_slices)
    counts = targets != IGNORED
    probabilities = _compute_probabilities(hidden, weight, rows.n_tokens)
    each, targets = torch.arange(len(targets), device=targets.device), targets.clamp_min(0)
    chosen = probabilities[each, targets].float()
    losses = -chosen.clamp_min(_smallest(probabilities.dtype)).log() * counts
    # By index: scatter_ or a mask of rows would scan the whole vocabulary.
    probabilities[each, targets] = 0.0
    probabilities[(~counts).nonzero()[:, 0]] = 0.0
    pull = torch.expm1(-losses)[:, None]  # p - 1 of the target, accurate even if p is nearly 1
    grad_hidden = pull * weight[targets]
    grad_weight.index_add_(0, targets, pull * hidden)
    for part, times in columns:
        push = probabilities[:, part].contiguous()
        if times != 1:
            push *= times
        grad_hidden += push @ weight[part]
        grad_weight[part] += push.t() @ hidden
    return losses, grad_hidden


def compute_whole_chunk(
    hidden: Tensor, weight: Tensor, targets: Tensor, grad_weight: Tensor, n_tokens: int
) -> tuple[Tensor, Tensor]:
    """Does what ``_compute_chunk`` does, without looking at the tokens: no wait for a GPU."""
    counts = (targets != IGNORED)[:, None]
    probabilities = _compute_probabilities(hidden, weight, n_tokens)
    columns = targets.clamp_min(0)[:, None]
    chosen = probabilities.gather(1, columns).float()
    losses = -chosen.clamp_min(_smallest(probabilities.dtype)).log() * counts
    # p - 1 of the target, accurate even if p is nearly 1
    probabilities.scatter_(1, columns, torch.expm1(-losses).to(probabilities.dtype))
    grad_hidden = (probabilities @ weight) * counts
    grad_weight += probabilities.t() @ (hidden * counts)
    return losses[:, 0], grad_hidden


def _compute_probabilities(hidden: Tensor, weight: Tensor, n_tokens: int) -> Tensor:
    """Returns ``[N, R]``; the rows after ``n_tokens`` are padding and get none."""
    logits = hidden @ weight.t()
    if n_tokens < len(weight):
        logits[:, n_tokens:] = -torch.inf
    return torch.softmax(logits, dim=-1)


def _smallest(dtype: torch.dtype) -> float:
    """Returns a probability that is told from 0; in float16 rare tokens are subnormal numbers."""
    return 2.0**-24 if dtype == torch.float16 else torch.finfo(dtype).tiny


def _split_positions(
    n_positions: int, vocab_size: int, chunk_logits: int | None = None
) -> Iterator[slice]:
    size = max(1, (chunk_logits or CHUNK_LOGITS) // vocab_size)
    for start in range(0, n_positions, size):
        yield slice(start, start + size)
