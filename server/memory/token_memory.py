"""The memory: what followed the last tokens where they occurred before.

Several indexes are looked up as if they were one, each without the texts that do not count now: the
one that is edited, and older states of others. Of the tokens before the next one, the longest run
that occurs anywhere is looked up, and the longest shorter one that occurs more often: the first is
specific, the second has more to count. Runs that nothing follows, at the ends of texts, are passed
over.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from server.memory.suffix_index import SuffixIndex

MAX_CONTEXT_TOKENS = 24  # a longer match says no more
MAX_MATCHES = 2  # the longest, and the next one that says more
_MAX_COUNTED = 4096  # occurrences whose next token is looked at, evenly spread over all
_MIN_GUESS_TOKENS = 3  # shorter matches are no ground for guesses


@dataclass(frozen=True, kw_only=True)
class Match:
    """What followed where the last ``n_tokens`` tokens occurred.

    Attributes:
        n_tokens: How many tokens are equal.
        ids: ``[K]``, the ids that followed, in ascending order.
        counts: ``[K]``, how often each did.
    """

    n_tokens: int
    ids: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    @property
    def total(self) -> int:
        """How often any token followed."""
        return int(self.counts.sum())

    def keep(self, allowed: npt.NDArray[np.int64]) -> "Match | None":
        """Returns what is left if only the ids ``allowed`` may follow; None if nothing is."""
        is_allowed = np.isin(self.ids, allowed)
        if not is_allowed.any():
            return None
        return Match(
            n_tokens=self.n_tokens, ids=self.ids[is_allowed], counts=self.counts[is_allowed]
        )


class HiddenText:
    """A text in an index that does not count.

    Args:
        index: The index.
        start: The text's first token.
        end: The token after its last one.
    """

    def __init__(self, index: SuffixIndex, start: int, end: int) -> None:
        self._index = index
        self._start, self._end = start, end

    @cached_property
    def _own(self) -> SuffixIndex:
        return SuffixIndex.build(self._index.tokens[self._start : self._end])

    def count(self, sequence: bytes) -> int:
        """Returns how often a sequence that crosses no border of a text occurs in it."""
        return len(self._own.find(sequence))

    def covers(self, places: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Returns which of the tokens ``[N]`` belong to it."""
        covered: npt.NDArray[np.bool_] = (places >= self._start) & (places < self._end)
        return covered


@dataclass(frozen=True, kw_only=True)
class MemoryPart:
    """An index, and which of its texts do not count.

    Attributes:
        index: The index.
        separator: The id that stands between texts; None if there is only one text. Nothing is
            said to follow a text's end: its author may only not have got any further.
        hidden: The texts that do not count.
        find_path: Names the text that a token belongs to.
    """

    index: SuffixIndex
    separator: int | None = None
    hidden: Sequence[HiddenText] = field(default=())
    find_path: Callable[[int], str] = lambda _: ""

    def count(self, ids: Sequence[int]) -> int:
        """Returns how often ``ids`` occur."""
        sequence = self.index.encode(ids)
        found = len(self.index.find(sequence))
        return found - sum(text.count(sequence) for text in self.hidden) if found else 0

    def places(self, ids: Sequence[int], most: int) -> npt.NDArray[np.int32]:
        """Returns where ``ids`` begin ``[N]``: up to ``most`` places, evenly spread over all."""
        found = self.index.find(self.index.encode(ids))
        step = max(1, -(-len(found) // most))
        places: npt.NDArray[np.int32] = self.index.order[found.first : found.end : step]
        for text in self.hidden:
            places = places[~text.covers(places)]
        return places

    def followers(self, ids: Sequence[int]) -> npt.NDArray[np.int32]:
        """Returns the places ``[N]`` of tokens that follow ``ids`` in the same text."""
        at: npt.NDArray[np.int32] = self.places(ids, _MAX_COUNTED) + np.int32(len(ids))
        at = at[at < len(self.index)]
        return at if self.separator is None else at[self.index.tokens[at] != self.separator]

    def read(self, start: int, max_tokens: int) -> list[int]:
        """Returns up to ``max_tokens`` ids of a text from a place on."""
        ids = [int(i) for i in self.index.tokens[start : start + max_tokens]]
        return ids[: ids.index(self.separator)] if self.separator in ids else ids


class TokenMemory:
    """Looks tokens up in several indexes as if they were one."""

    def __init__(self, parts: Sequence[MemoryPart]) -> None:
        self._parts = [part for part in parts if len(part.index)]

    def extend(self, part: MemoryPart) -> "TokenMemory":
        """Returns a memory that looks up one more index."""
        return TokenMemory([*self._parts, part])

    def find(self, context: Sequence[int]) -> list[Match]:
        """Returns the longest match of the end of ``context``, and the next one that says more.

        Args:
            context: The ids before the next token; the last ``MAX_CONTEXT_TOKENS`` count.
        """
        context = context[-MAX_CONTEXT_TOKENS:]
        matches: list[Match] = []
        n_occurrences, longest = 0, len(context)
        while len(matches) < MAX_MATCHES:
            n_tokens = self._find_longest(context, longest, more_than=n_occurrences)
            if n_tokens is None:
                break
            match = self._match(context, n_tokens)
            if match.ids.size:  # not only where texts end
                matches.append(match)
            n_occurrences, longest = self._count(context, n_tokens), n_tokens - 1
        return matches

    def guess(self, context: Sequence[int], max_tokens: int) -> list[int]:
        """Returns up to ``max_tokens`` ids that followed the longest match; none if it is short."""
        context = context[-MAX_CONTEXT_TOKENS:]
        n_tokens = self._find_longest(context, len(context), more_than=0)
        if n_tokens is None or n_tokens < _MIN_GUESS_TOKENS:
            return []
        last = context[len(context) - n_tokens :]
        for part in self._parts:
            following = part.followers(last)
            if following.size:
                return part.read(int(following[len(following) // 2]), max_tokens)
        return []

    def knows(self, ids: Sequence[int]) -> bool:
        """Returns whether ``ids`` occur, one after the other."""
        return self._count(ids, len(ids)) > 0

    def locate(self, ids: Sequence[int]) -> str | None:
        """Returns the path of a text with the longest end of ``ids`` that occurs; None if none."""
        ids = ids[-MAX_CONTEXT_TOKENS:]
        n_tokens = self._find_longest(ids, len(ids), more_than=0)
        if n_tokens is None:
            return None
        for part in self._parts:
            places = part.places(ids[len(ids) - n_tokens :], _MAX_COUNTED)
            if places.size:
                return part.find_path(int(places.min())) or None
        return None

    def _find_longest(self, context: Sequence[int], most: int, *, more_than: int) -> int | None:
        """Returns the largest number of last tokens that occur more often than that."""
        low, high = 0, most
        while low < high:
            middle = (low + high + 1) // 2
            if self._count(context, middle) > more_than:
                low = middle
            else:
                high = middle - 1
        return low or None

    def _count(self, context: Sequence[int], n_tokens: int) -> int:
        last = context[len(context) - n_tokens :]
        return sum(part.count(last) for part in self._parts)

    def _match(self, context: Sequence[int], n_tokens: int) -> Match:
        last = context[len(context) - n_tokens :]
        following = [part.index.tokens[part.followers(last)] for part in self._parts]
        ids, counts = np.unique(np.concatenate(following), return_counts=True)
        return Match(n_tokens=n_tokens, ids=ids.astype(np.int64), counts=counts)
