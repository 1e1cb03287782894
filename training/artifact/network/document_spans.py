"""Document boundaries in a block: attention and positions do not cross them.

A block holds pieces of several documents, one after the other. ``DocumentSpans`` knows where each
begins in a batch of blocks, and derives positions, the spans that attention works on, and a mask
for kernels that need one.

Tensor legend: B rows of the batch, T tokens, H heads, D width of one head.
"""

import itertools
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Span:
    """Tokens ``[start, end)`` that are one document in each of ``rows``."""

    rows: slice
    start: int
    end: int

    def take(self, x: Tensor) -> Tensor:
        """Returns the span of ``x`` ``[B, T, H, D]`` as ``[rows * H, end - start, D]``."""
        part = x[self.rows, self.start : self.end]
        return part.transpose(1, 2).reshape(-1, self.end - self.start, x.shape[-1])

    def put(self, x: Tensor, part: Tensor) -> None:
        """Writes what :meth:`take` would return into ``x``."""
        heads_inside = part.view(-1, x.shape[2], *part.shape[1:])
        x[self.rows, self.start : self.end] = heads_inside.transpose(1, 2)


class DocumentSpans:
    """The documents of a batch of blocks.

    Args:
        firsts: ``[B, T]``, for each token the index of its document's first token in the row.
    """

    def __init__(self, firsts: Tensor) -> None:
        self.firsts = firsts

    @classmethod
    def one_per_row(cls, n_rows: int, n_tokens: int, device: torch.device) -> "DocumentSpans":
        """Returns a batch in which each row is one document."""
        return cls(torch.zeros(n_rows, n_tokens, dtype=torch.long, device=device))

    @property
    def positions(self) -> Tensor:
        """``[B, T]``: each token's position in its document."""
        return torch.arange(self.firsts.shape[1], device=self.firsts.device) - self.firsts

    @cached_property
    def spans(self) -> list[Span]:
        """The documents; adjacent rows with the same boundaries share a span."""
        n_tokens = self.firsts.shape[1]
        rows_of: dict[tuple[int, int], list[slice]] = {}
        for row, firsts in enumerate(self.firsts):
            edges = [*torch.unique_consecutive(firsts).tolist(), n_tokens]
            for start, end in itertools.pairwise(edges):
                known = rows_of.setdefault((start, end), [])
                first = known.pop().start if known and known[-1].stop == row else row
                known.append(slice(first, row + 1))
        return [Span(rows, start, end) for (start, end), known in rows_of.items() for rows in known]

    @cached_property
    def mask(self) -> Tensor:
        """``[B, 1, T, T]``: whether a query (third axis) may attend to a key (last axis)."""
        same = self.firsts[:, :, None] == self.firsts[:, None, :]
        return same.tril()[:, None]
