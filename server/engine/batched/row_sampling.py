"""Chooses the next token of many samples at once, by the rule of :mod:`server.engine.sampling`.

Sorting a whole vocabulary for each sample takes longer than the network. The few likeliest tokens
are found without sorting: they are among the blocks with the largest maxima. Where the nucleus is
larger than those few, more are looked at, and a row is sorted as a whole only if it is flat. The
result is the same either way.

Tensor legend: B samples, V vocabulary, K likeliest tokens.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from server.engine.generation_request import Sampling

# How many likeliest tokens are looked at, and of how many entries a block has one maximum.
_ROUNDS = ((32, 64), (256, 16), (2048, 1))
_LARGEST_BLOCK = 64
_MARGIN = 1e-5  # of probability; closer than this, a sum in float32 is not exact enough


def choose_tokens(logits: Tensor, sampling: Sampling, draws: Sequence[float]) -> Tensor:
    """Returns the index of each row's chosen entry ``[B]``.

    Args:
        logits: ``[B, V]``; minus infinity for entries that may not be chosen.
        sampling: How.
        draws: A number in [0, 1) for each row; not used if the choice is greedy.
    """
    if sampling.temperature == 0:
        return _find_largest(logits)
    exact = torch.float32 if logits.device.type == "mps" else torch.float64
    scaled = (logits / sampling.temperature).log_softmax(dim=-1)
    chance = torch.tensor(draws, dtype=exact, device=logits.device)[:, None]  # [B, 1]
    if sampling.top_p == 1:
        return _draw(scaled.to(exact).exp(), chance)[0][:, 0]
    found = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    rows = torch.arange(len(logits), device=logits.device)  # that have no token yet
    for n_likeliest, block in _ROUNDS:
        values, ids = _find_likeliest(scaled, n_likeliest, block)
        chosen, is_certain = _draw_from_nucleus(values.to(exact).exp(), ids, chance, sampling.top_p)
        found[rows] = chosen
        if bool(is_certain.all()):
            return found
        is_open = ~is_certain
        rows, scaled, chance = rows[is_open], scaled[is_open], chance[is_open]
    values, ids = scaled.to(exact).log_softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
    found[rows], _ = _draw_from_nucleus(values.exp(), ids, chance, sampling.top_p)
    return found


def _draw_from_nucleus(
    probabilities: Tensor, ids: Tensor, chance: Tensor, top_p: float
) -> tuple[Tensor, Tensor]:
    """Draws one of each row's nucleus, in the order of the vocabulary.

    Args:
        probabilities: Of the likeliest entries ``[B, K]``, the likeliest first.
        ids: Which they are ``[B, K]``.
        chance: In [0, 1), ``[B, 1]``.
        top_p: The nucleus.

    Returns:
        The chosen entries ``[B]``, and whether neither entries beyond K nor the rounding of the
        probabilities could change that ``[B]``.
    """
    cumulative = probabilities.cumsum(dim=-1)
    is_kept = cumulative - probabilities < top_p
    last = is_kept.sum(dim=-1, keepdim=True) - 1
    is_known = probabilities.gather(1, last) > probabilities[:, -1:]  # others may tie with it
    distance = (cumulative - top_p).abs().amin(dim=-1, keepdim=True)
    ids, order = ids.sort(dim=-1)
    at, distance_drawn = _draw((probabilities * is_kept).gather(1, order), chance)
    is_certain = is_known & (distance.minimum(distance_drawn) > _MARGIN)
    return ids.gather(1, at)[:, 0], is_certain[:, 0]


def _draw(weights: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
    """Returns where each row's draw falls, and how far from an edge: both ``[B, 1]``."""
    cumulative = weights.cumsum(dim=-1)
    total = cumulative[:, -1:]
    drawn = (chance * total).minimum(total * (1 - torch.finfo(total.dtype).eps))
    at = (cumulative <= drawn).sum(dim=-1, keepdim=True)
    return at, (cumulative - drawn).abs().amin(dim=-1, keepdim=True)


def _find_largest(logits: Tensor) -> Tensor:
    """Returns where each row's largest entry stands first ``[B]``."""
    blocks = _cut_into_blocks(logits, _LARGEST_BLOCK)
    best = blocks.amax(dim=-1).argmax(dim=-1, keepdim=True)  # [B, 1]
    inside = blocks.gather(1, best[..., None].expand(-1, -1, _LARGEST_BLOCK))[:, 0]  # [B, a block]
    return best[:, 0] * _LARGEST_BLOCK + inside.argmax(dim=-1)


def _find_likeliest(logits: Tensor, n: int, block: int) -> tuple[Tensor, Tensor]:
    """Returns the ``n`` largest entries and their indices ``[B, K]``.

    They are in the order of a stable sort. Of those that tie with the last one, any may be there.
    """
    blocks = _cut_into_blocks(logits, block)
    n_blocks = blocks.shape[1]
    best = blocks.amax(dim=-1).topk(min(n, n_blocks), dim=-1).indices.sort(dim=-1).values
    candidates = blocks.gather(1, best[..., None].expand(-1, -1, block)).flatten(1)
    at = candidates.topk(min(n, logits.shape[1]), dim=-1).indices.sort(dim=-1).values
    values, order = candidates.gather(1, at).sort(dim=-1, descending=True, stable=True)
    at = at.gather(1, order)
    return values, best.gather(1, at // block) * block + at % block


def _cut_into_blocks(logits: Tensor, block: int) -> Tensor:
    """Returns ``[B, V / block, block]``, filled up with minus infinity."""
    missing = -logits.shape[1] % block
    if missing:
        logits = functional.pad(logits, (0, missing), value=float("-inf"))
    return logits.view(len(logits), -1, block)
