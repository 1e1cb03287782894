"""Key-value caches, and the pool of those that are kept between requests.

A prompt continues in the cache that shares the most with it. If it shares little with any of them,
it belongs to another document: it gets a new cache or, once the budget is spent, the one that has
not been used for longest.

Tensor legend: B sequences, T new tokens, P tokens in the cache, S positions the cache has room
for, H heads, D width of one head.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from training.artifact.network.config import GPT2Config

_SAME_DOCUMENT = 0.25  # the share of a prompt that a cache must hold to be its document's


class KVCache:
    """Keys and values of every layer, for ``B`` sequences of equal length."""

    def __init__(self, config: GPT2Config, *, n_sequences: int, room: int) -> None:
        width = config.n_embd // config.n_head
        shape = (config.n_layer, 2, n_sequences, config.n_head, room, width)
        self._store = torch.zeros(shape)  # [layer, key or value, B, H, S, D]
        self._config = config
        self.length = 0

    @property
    def room(self) -> int:
        """How many tokens fit."""
        return self._store.shape[4]

    @property
    def n_bytes(self) -> int:
        """How much memory it takes, however full it is."""
        return self._store.nbytes

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Writes ``[B, H, T, D]`` after ``length``; returns all ``[B, H, P + T, D]``."""
        end = self.length + keys.shape[2]
        store = self._store[layer]
        store[0, :, :, self.length : end] = keys
        store[1, :, :, self.length : end] = values
        return store[0, :, :, :end], store[1, :, :, :end]

    def truncate(self, length: int) -> None:
        """Drops all tokens from ``length`` on."""
        self.length = min(self.length, length)

    def repeat(self, n_sequences: int, *, room: int) -> "KVCache":
        """Returns a cache with ``n_sequences`` independent copies of this one's only sequence."""
        copy = KVCache(self._config, n_sequences=n_sequences, room=room)
        copy.length = self.length
        copy._store[:, :, :, :, : self.length] = self._store[:, :, :, :, : self.length]
        return copy

    def keep(self, rows: Sequence[int]) -> None:
        """Drops all sequences except these."""
        self._store = self._store[:, :, list(rows)]


@dataclass(kw_only=True)
class CachedPrompt:
    """A cache and the ids whose keys and values it holds."""

    cache: KVCache
    ids: list[int] = field(default_factory=list)


class KVCachePool:
    """Finds the cache for a prompt, or makes one.

    Args:
        make: Returns an empty cache.
        budget_bytes: For all caches together; the pool always keeps at least one.
    """

    def __init__(self, make: Callable[[], KVCache], budget_bytes: int) -> None:
        self._make = make
        first = CachedPrompt(cache=make())
        self._cached = [first]  # the most recently used last
        self._max_caches = max(1, budget_bytes // first.cache.n_bytes)

    def __len__(self) -> int:
        return len(self._cached)

    def acquire(self, prompt: Sequence[int]) -> CachedPrompt:
        """Returns the cache for a prompt, truncated to the prefix that they share.

        The shared prefix never includes the prompt's last token: its hidden state is needed, so it
        is computed again.
        """
        shared = [common_length(cached.ids, prompt) for cached in self._cached]
        best = max(range(len(shared)), key=lambda index: (shared[index], index))
        if shared[best] < _SAME_DOCUMENT * len(prompt) and self._cached[best].ids:
            best = 0
            if len(self._cached) < self._max_caches:
                self._cached.insert(0, CachedPrompt(cache=self._make()))
                shared.insert(0, 0)
        cached = self._cached.pop(best)
        self._cached.append(cached)
        reused = min(shared[best], len(prompt) - 1)
        cached.cache.truncate(reused)
        del cached.ids[reused:]
        return cached


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Returns the length of the longest common prefix."""
    n = min(len(first), len(second))
    if list(first[:n]) == list(second[:n]):
        return n
    return next(i for i in range(n) if first[i] != second[i])
