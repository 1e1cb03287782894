"""Chooses the next token of many samples at once, by the rule of :mod:`server.engine.sampling`.

Sorting a whole vocabulary for each sample takes longer than the network. The few likeliest tokens
are found without sorting: they are among the blocks with the largest maxima. Only where the nucleus
is larger than those few is a sample's row sorted as a whole. The result is the same either way.

Tensor legend: B samples, V vocabulary, K likeliest tokens.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from server.engine.generation_request import Sampling

_BLOCK = 64  # entries whose maximum is looked at first
_N_LIKELIEST = 32
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
    scaled = logits / sampling.temperature
    exact = torch.float32 if logits.device.type == "mps" else torch.float64
    chance = torch.tensor(draws, dtype=exact, device=logits.device)[:, None]  # [B, 1]
    totals = scaled.logsumexp(dim=-1, keepdim=True)  # [B, 1]
    values, ids = _find_likeliest(scaled, _N_LIKELIEST)
    chosen, is_certain = _draw(values, totals, chance, sampling.top_p)
    found = ids.gather(1, chosen)[:, 0]
    if not bool(is_certain.all()):
        rows = (~is_certain).nonzero()[:, 0]
        values, ids = scaled[rows].to(exact).sort(dim=-1, descending=True, stable=True)
        totals = values.logsumexp(dim=-1, keepdim=True)
        chosen, _ = _draw(values, totals, chance[rows], sampling.top_p)
        found[rows] = ids.gather(1, chosen)[:, 0]
    return found


def _draw(values: Tensor, totals: Tensor, chance: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """Draws from each row's nucleus.

    Args:
        values: The logits of the likeliest entries ``[B, K]``, the likeliest first.
        totals: The logarithm of each row's sum ``[B, 1]``.
        chance: In [0, 1), ``[B, 1]``.
        top_p: The nucleus.

    Returns:
        Where the chosen entries stand ``[B, 1]``, and whether neither entries beyond K nor the
        rounding of ``totals`` could change that ``[B]``.
    """
    probabilities = (values.to(chance.dtype) - totals).exp()
    cumulative = probabilities.cumsum(dim=-1)
    if top_p == 1:
        last = torch.full_like(chance, values.shape[1] - 1, dtype=torch.long)
        mass = torch.ones_like(chance)  # of all entries, whether or not they are here
        nearest_edge = mass
    else:
        last = (cumulative - probabilities < top_p).sum(dim=-1, keepdim=True) - 1  # [B, 1]
        mass = cumulative.gather(1, last)
        nearest_edge = (cumulative - top_p).abs().amin(dim=-1, keepdim=True)
    drawn = chance * mass
    at = (cumulative <= drawn).sum(dim=-1, keepdim=True).minimum(last)
    edge = at if top_p == 1 else last
    is_known = values.gather(1, edge) > values[:, -1:]  # others may tie with the last one
    nearest = (cumulative - drawn).abs().amin(dim=-1, keepdim=True).minimum(nearest_edge)
    return at, (is_known & (nearest > _MARGIN))[:, 0]


def _find_largest(logits: Tensor) -> Tensor:
    """Returns where each row's largest entry stands first ``[B]``."""
    blocks = _cut_into_blocks(logits)
    best = blocks.amax(dim=-1).argmax(dim=-1, keepdim=True)  # [B, 1]
    inside = blocks.gather(1, best[..., None].expand(-1, -1, _BLOCK))[:, 0]  # [B, a block]
    return best[:, 0] * _BLOCK + inside.argmax(dim=-1)


def _find_likeliest(logits: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Returns the ``n`` largest entries and their indices ``[B, K]``.

    They are in the order of a stable sort. Of those that tie with the last one, any may be there.
    """
    blocks = _cut_into_blocks(logits)
    n_blocks = blocks.shape[1]
    best = blocks.amax(dim=-1).topk(min(n, n_blocks), dim=-1).indices.sort(dim=-1).values
    candidates = blocks.gather(1, best[..., None].expand(-1, -1, _BLOCK)).flatten(1)
    at = candidates.topk(min(n, logits.shape[1]), dim=-1).indices.sort(dim=-1).values
    values, order = candidates.gather(1, at).sort(dim=-1, descending=True, stable=True)
    at = at.gather(1, order)
    return values, best.gather(1, at // _BLOCK) * _BLOCK + at % _BLOCK


def _cut_into_blocks(logits: Tensor) -> Tensor:
    """Returns ``[B, V / block, block]``, filled up with minus infinity."""
    missing = -logits.shape[1] % _BLOCK
    if missing:
        logits = functional.pad(logits, (0, missing), value=float("-inf"))
    return logits.view(len(logits), -1, _BLOCK)
