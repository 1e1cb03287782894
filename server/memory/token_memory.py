"""The memory: what followed the last tokens where they occurred before.

Of the tokens before the next one, the longest run that occurs anywhere is looked up, and the
longest shorter one that occurs more often: the first is specific, the second has more to count.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from server.memory.suffix_index import Occurrences, SuffixIndex

MAX_CONTEXT_TOKENS = 24  # a longer match says no more
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


class TokenMemory:
    """Looks tokens up in several indexes as if they were one."""

    def __init__(self, indexes: Sequence[SuffixIndex]) -> None:
        self._indexes = [index for index in indexes if len(index)]

    def find(self, context: Sequence[int]) -> list[Match]:
        """Returns the longest match of the end of ``context``, and the next one that says more.

        Args:
            context: The ids before the next token; the last ``MAX_CONTEXT_TOKENS`` count.
        """
        context = context[-MAX_CONTEXT_TOKENS:]
        longest = self._find_longest(context, len(context), more_than=0)
        if longest is None:
            return []
        n_occurrences = self._count(context, longest)
        shorter = self._find_longest(context, longest - 1, more_than=n_occurrences)
        matches = [self._match(context, n) for n in (longest, shorter) if n]
        return [match for match in matches if match.ids.size]  # none at the very end of a text

    def guess(self, context: Sequence[int], max_tokens: int) -> list[int]:
        """Returns up to ``max_tokens`` ids that followed the longest match; none if it is short."""
        context = context[-MAX_CONTEXT_TOKENS:]
        n_tokens = self._find_longest(context, len(context), more_than=0)
        if n_tokens is None or n_tokens < _MIN_GUESS_TOKENS:
            return []
        for index, found in self._occurrences(context, n_tokens):
            if found:
                middle = int(index.order[(found.first + found.end) // 2])
                start = middle + n_tokens
                return [int(i) for i in index.tokens[start : start + max_tokens]]
        return []

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
        return sum(len(found) for _, found in self._occurrences(context, n_tokens))

    def _occurrences(
        self, context: Sequence[int], n_tokens: int
    ) -> list[tuple[SuffixIndex, Occurrences]]:
        last = context[len(context) - n_tokens :]
        return [(index, index.find(index.encode(last))) for index in self._indexes]

    def _match(self, context: Sequence[int], n_tokens: int) -> Match:
        following = []
        for index, found in self._occurrences(context, n_tokens):
            step = max(1, -(-len(found) // _MAX_COUNTED))
            at = index.order[found.first : found.end : step] + n_tokens
            following.append(index.tokens[at[at < len(index)]])
        ids, counts = np.unique(np.concatenate(following), return_counts=True)
        return Match(n_tokens=n_tokens, ids=ids.astype(np.int64), counts=counts)
