"""Draws the next token of each sequence of a batch with random numbers of its own.

transformers draws those of all sequences from one generator, so that sample 1 of 2 would be another
than sample 1 of 3. Given to ``generate`` as a logits processor without its own sampling: only the
token that was drawn is left to be chosen.

Source: Holtzman et al. 2019, "The Curious Case of Neural Text Degeneration", arXiv:1904.09751
(nucleus sampling).
"""

import random
from collections.abc import Sequence

import torch
from torch import Tensor


class RowSampler:
    """A logits processor that samples by temperature and nucleus.

    Args:
        seeds: One for each sequence of the batch.
        temperature: More than 0.
        top_p: The probability mass to draw from.
    """

    def __init__(self, seeds: Sequence[int], *, temperature: float, top_p: float) -> None:
        self._chances = [random.Random(seed) for seed in seeds]
        self._temperature = temperature
        self._top_p = top_p

    def __call__(self, _: Tensor, scores: Tensor) -> Tensor:
        """Returns logits ``[B, V]`` of which one a row is finite: the token that was drawn.

        Args:
            scores: The logits of each sequence's next token, ``[B, V]``.

        Raises:
            ValueError: The logits are not numbers.
        """
        dtype = torch.float32 if scores.device.type == "mps" else torch.float64
        probabilities = torch.softmax(scores.to(dtype) / self._temperature, dim=-1)
        if not bool(probabilities.isfinite().all()):
            raise ValueError("it predicts values that are not numbers")
        if self._top_p < 1:
            ordered, indices = probabilities.sort(dim=-1, descending=True, stable=True)
            is_kept = ordered.cumsum(dim=-1) - ordered < self._top_p
            is_kept = torch.zeros_like(is_kept).scatter(-1, indices, is_kept)
            probabilities = probabilities.where(is_kept, torch.zeros_like(probabilities))
        cumulative = probabilities.cumsum(dim=-1)
        totals = cumulative[:, -1:]
        draws = [[chance.random()] for chance in self._chances]
        drawn = torch.tensor(draws, dtype=dtype, device=scores.device) * totals
        at = torch.searchsorted(cumulative, drawn, right=True)
        likeliest = probabilities.argmax(dim=-1, keepdim=True)
        at = at.where(at < scores.shape[-1], likeliest)  # a draw rounded up to the whole mass
        return torch.full_like(scores, -torch.inf).scatter(-1, at, 0.0)
