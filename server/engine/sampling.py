"""Chooses the next token: greedily, or by temperature and nucleus.

Each sequence draws from a generator of its own, so that sample 3 of 5 equals sample 3 of 50. Pure
apart from those generators. Called by the decoder.

Source: Holtzman et al. 2019, "The Curious Case of Neural Text Degeneration", arXiv:1904.09751
(nucleus sampling).
"""

import random

import torch
from torch import Tensor

from server.engine.generation_request import Sampling


def sample_token(logits: Tensor, sampling: Sampling, generator: random.Random) -> int:
    """Returns the index of the chosen entry of ``logits`` ``[V]``."""
    if sampling.temperature == 0:
        return int(logits.argmax())
    probabilities = torch.softmax(logits.double() / sampling.temperature, dim=-1)
    kept = _find_nucleus(probabilities, sampling.top_p)
    cumulative = probabilities[kept].cumsum(dim=-1)
    drawn = generator.random() * float(cumulative[-1])
    at = int(torch.searchsorted(cumulative, drawn, right=True))
    return int(kept[min(at, len(kept) - 1)])


def _find_nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Returns the entries of the smallest set that reaches ``top_p``, in their own order.

    In order of probability, entries that are as good as equal would change places with the
    rounding of a sum, and a draw would give another one.
    """
    if top_p == 1:
        return torch.arange(len(probabilities))
    ordered, indices = probabilities.sort(descending=True, stable=True)
    before = ordered.cumsum(dim=-1) - ordered
    return indices[before < top_p].sort().values
