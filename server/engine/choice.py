"""The choice of the next token: greedy, or sampled by temperature and nucleus.

Each sequence draws from a source of its own, so that sample 3 of 5 equals sample 3 of 50. Pure
apart from those sources; called by the decoder.

Source: Holtzman et al. 2019, "The Curious Case of Neural Text Degeneration", arXiv:1904.09751
(nucleus sampling).
"""

import random
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How to choose; a temperature of 0 is greedy, whatever the rest says."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 100:  # noqa: PLR2004 - beyond it nothing but noise
            raise ValueError(f"temperature is {self.temperature}, wanted 0 to 100")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}, wanted more than 0 and at most 1")

    def source(self, sequence: int) -> random.Random:
        """Returns the source of randomness of one sequence."""
        return random.Random(f"{self.seed}/{sequence}")


GREEDY = Sampling()


def choose(scores: Tensor, sampling: Sampling, source: random.Random) -> int:
    """Returns the index of the chosen entry of ``scores`` ``[V]`` (logits)."""
    if sampling.temperature == 0:
        return int(scores.argmax())
    probabilities = torch.softmax(scores.double() / sampling.temperature, dim=-1)
    ordered, indices = probabilities.sort(descending=True, stable=True)
    cumulative = ordered.cumsum(dim=-1)
    # The nucleus is the smallest set that reaches top_p: entries whose predecessors do not.
    n_kept = int((cumulative - ordered < sampling.top_p).sum())
    drawn = source.random() * float(cumulative[n_kept - 1])
    at = int(torch.searchsorted(cumulative[:n_kept], drawn, right=True))
    return int(indices[min(at, n_kept - 1)])
