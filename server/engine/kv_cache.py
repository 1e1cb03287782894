"""The caches that are kept between requests: one for each document of late, within a budget.

A prompt goes on in the cache that shares the most with it. If it shares little with any it is
another document's: it takes a new cache, or that of the document not asked about for longest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from server.engine.network import KeyValues

_SAME_DOCUMENT = 0.25  # of a prompt shared with a cache: less, and it is another document's


@dataclass(kw_only=True)
class Kept:
    """Keys and values, and the tokens they are of."""

    values: KeyValues
    ids: list[int] = field(default_factory=list)


class KeptCaches:
    """Finds and makes caches.

    Args:
        make: Returns an empty one.
        budget_bytes: For all of them; one is kept in any case.
    """

    def __init__(self, make: Callable[[], KeyValues], budget_bytes: int) -> None:
        self._make = make
        first = Kept(values=make())
        self._kept = [first]  # the latest last
        self._n_most = max(1, budget_bytes // first.values.n_bytes)

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, prompt: Sequence[int]) -> Kept:
        """Returns the cache for a prompt, cut back to what they share, and never to all of it.

        The last token's hidden state is needed, so that one is computed again.
        """
        shared = [common_length(kept.ids, prompt) for kept in self._kept]
        best = max(range(len(shared)), key=lambda index: (shared[index], index))
        if shared[best] < _SAME_DOCUMENT * len(prompt) and self._kept[best].ids:
            best = 0
            if len(self._kept) < self._n_most:
                self._kept.insert(0, Kept(values=self._make()))
                shared.insert(0, 0)
        kept = self._kept.pop(best)
        self._kept.append(kept)
        reused = min(shared[best], len(prompt) - 1)
        kept.values.truncate(reused)
        del kept.ids[reused:]
        return kept


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Returns how many leading items two sequences share."""
    n = min(len(first), len(second))
    if list(first[:n]) == list(second[:n]):
        return n
    return next(i for i in range(n) if first[i] != second[i])
