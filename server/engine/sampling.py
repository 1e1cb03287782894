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
    ordered, indices = probabilities.sort(descending=True, stable=True)
    cumulative = ordered.cumsum(dim=-1)
    # The nucleus is the smallest set that reaches top_p: the entries whose predecessors do not.
    n_kept = int((cumulative - ordered < sampling.top_p).sum())
    drawn = generator.random() * float(cumulative[n_kept - 1])
    at = int(torch.searchsorted(cumulative[:n_kept], drawn, right=True))
    return int(indices[min(at, n_kept - 1)])
