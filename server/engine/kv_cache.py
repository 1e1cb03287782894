"""Key-value caches, and the pool of those that are kept between requests.

A prompt continues in the cache that shares the most with it. If it shares little with any of them,
it belongs to another document: it gets a new cache or, once the budget is spent, the one that has
not been used for longest.

Tensor legend: B sequences, T new tokens, N the last of them, P tokens in the cache, S positions the
cache has room for, H heads, D width of one head.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from training.artifact.network.config import GPT2Config

_BLOCK_TOKENS = 64  # that attend at once on a CPU; smaller blocks save products and cost calls
_SAME_DOCUMENT = 0.25  # the share of a prompt that a cache must hold to be its document's


class KVCache:
    """Keys and values of every layer, for one sequence.

    Args:
        config: The network's.
        room: How many tokens fit.
        device: Where they are kept.
        dtype: In which they are kept and attended to.
    """

    def __init__(
        self,
        config: GPT2Config,
        *,
        room: int,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        width = config.n_embd // config.n_head
        shape = (config.n_layer, 2, 1, config.n_head, room, width)
        self._store = torch.zeros(shape, device=device, dtype=dtype)  # [layer, k or v, B, H, S, D]
        self._mask: Tensor | None = None  # [T, P + T], added to the scores of new tokens
        self.length = 0

    @property
    def room(self) -> int:
        """How many tokens fit."""
        return self._store.shape[4]

    @property
    def n_bytes(self) -> int:
        """How much memory it takes, however full it is."""
        return self._store.nbytes

    @property
    def filled(self) -> Tensor:
        """What it holds: ``[layer, key or value, H, P, D]``."""
        return self._store[:, :, 0, :, : self.length]

    def reserve(self, n_new: int) -> slice:
        """Returns the positions of the next ``n_new`` tokens."""
        end = self.length + n_new
        self._mask = None
        if n_new > 1:
            hidden = self._store.new_full((n_new, end), float("-inf"))
            self._mask = hidden.triu_(self.length + 1)
        return slice(self.length, end)

    def attend(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Appends the new tokens' keys and values ``[B, H, T, D]``, and attends.

        Tokens attend in blocks, since none attends to what comes after its block.

        Args:
            layer: The layer's number.
            queries: Those of the last of the new tokens ``[B, H, N, D]``.
            keys: Of all new tokens.
            values: Of all new tokens.
        """
        end = self.length + keys.shape[2]
        store = self._store[layer]
        store[0, :, :, self.length : end] = keys
        store[1, :, :, self.length : end] = values
        queries = queries.to(store.dtype)
        n_queries = queries.shape[2]
        if n_queries == 0:
            return queries
        is_cpu = store.device.type == "cpu"
        blocks = queries.split(_BLOCK_TOKENS if is_cpu else n_queries, dim=2)
        first = end - n_queries
        attended = []
        for block in blocks:
            last, mask = first + block.shape[2], None
            if self._mask is not None:
                mask = self._mask[first - self.length : last - self.length, :last]
            seen = store[:, :, :, :last]
            attended.append(
                functional.scaled_dot_product_attention(block, seen[0], seen[1], attn_mask=mask)
            )
            first = last
        return attended[0] if len(attended) == 1 else torch.cat(attended, dim=2)

    def advance(self, n_new: int) -> None:
        """Counts the new tokens, once every layer has them."""
        self.length += n_new

    def truncate(self, length: int) -> None:
        """Drops all tokens from ``length`` on."""
        self.length = min(self.length, length)


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
