"""A suffix array over tokens: where a sequence occurs, however long, by binary search.

Tokens are kept as big-endian bytes, so that comparing bytes compares ids and both arrays can be
mapped from files. A sequence of 2M tokens takes 12 MB and is sorted in half a second. The search
begins among the suffixes with the same first token, whose place in the order follows from how often
each token occurs.

Source: Manber and Myers 1993, "Suffix arrays: a new method for on-line string searches"; as memory
of a language model, Liu et al. 2024, arXiv:2401.17377.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from pydivsufsort import divsufsort

Tokens = npt.NDArray[Any]  # [N], big-endian, two or four bytes each
_NARROW, _WIDE = np.dtype(">u2"), np.dtype(">u4")


@dataclass(frozen=True, kw_only=True)
class Occurrences:
    """A range of the sorted suffixes: those that begin with a sequence.

    Attributes:
        first: The first one's place in the order.
        end: The place after the last one.
    """

    first: int
    end: int

    def __len__(self) -> int:
        return self.end - self.first


class SuffixIndex:
    """Finds sequences in a token sequence.

    Args:
        tokens: As :func:`pack_tokens` returns them.
        order: ``[N]``, the suffixes' first tokens in the order of the suffixes.
    """

    def __init__(self, tokens: Tokens, order: npt.NDArray[np.int32]) -> None:
        self.tokens = tokens
        self.order = order
        self._width = tokens.dtype.itemsize
        self._places = order.view(np.uint8).data.cast("i")  # items are Python integers
        self._bytes = memoryview(np.ascontiguousarray(tokens).view(np.uint8).data)

    @classmethod
    def build(cls, tokens: Tokens) -> "SuffixIndex":
        """Sorts the suffixes of ``tokens``."""
        width = tokens.dtype.itemsize
        if not tokens.size:
            return cls(tokens, np.zeros(0, np.int32))
        writable = np.array(tokens)  # the library takes no mapped file
        order = divsufsort(writable.view(np.uint8))  # of bytes
        return cls(tokens, order[order % width == 0] // width)

    def __len__(self) -> int:
        return len(self.order)

    def find(self, sequence: bytes) -> Occurrences:
        """Returns where tokens occur, given as bytes of this index's width (:meth:`encode`)."""
        if not sequence:
            return Occurrences(first=0, end=len(self.order))
        token_id = int.from_bytes(sequence[: self._width])
        if token_id + 1 >= len(self._starts):
            return Occurrences(first=0, end=0)
        first, end = self._starts[token_id : token_id + 2].tolist()
        if len(sequence) > self._width:
            first = self._count_below(sequence, first, end, or_equal=False)
            if first == end or not self._begins(first, sequence):
                return Occurrences(first=first, end=first)
            end = self._count_below(sequence, first, end, or_equal=True)
        return Occurrences(first=first, end=end)

    @cached_property
    def _starts(self) -> npt.NDArray[np.int64]:
        """``[I + 1]``: how many suffixes begin with a smaller id, for each id up to the largest."""
        counts = np.bincount(self.tokens)
        return np.concatenate([[0], counts.cumsum()])

    def encode(self, ids: npt.ArrayLike) -> bytes:
        """Returns ids as :meth:`find` takes them."""
        return np.asarray(ids, self.tokens.dtype).tobytes()

    def _begins(self, place: int, sequence: bytes) -> bool:
        """Returns whether the suffix at a place in the order begins with a sequence."""
        at = self._width * self._places[place]
        return self._bytes[at : at + len(sequence)].tobytes() == sequence

    def _count_below(self, sequence: bytes, low: int, high: int, *, or_equal: bool) -> int:
        length, width, order, data = len(sequence), self._width, self._places, self._bytes
        while low < high:
            middle = (low + high) // 2
            at = width * order[middle]
            found = data[at : at + length].tobytes()
            if found < sequence or (or_equal and found == sequence):
                low = middle + 1
            else:
                high = middle
        return low


def pack_tokens(ids: npt.ArrayLike, vocab_size: int) -> Tokens:
    """Returns ids as an index keeps them."""
    return np.asarray(ids, _NARROW if vocab_size <= 1 << 16 else _WIDE)
