"""Key-value caches, and the pool of those that are kept between requests.

A prompt continues in the cache that shares the most with it. If that would drop much of another
prompt, which may be continued later, the shared part is copied into a new cache or, once the budget
is spent, into the one that has not been used for longest.

Tensor legend: B sequences, T new tokens, N the last of them, P tokens in the cache, S positions the
cache has room for, H heads, D width of one head.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from server.engine.generation_request import Prompt
from server.engine.weights.huge_pages import make_zeros
from training.artifact.network.config import GPT2Config

_BLOCK_TOKENS = 64  # that attend at once on a CPU; smaller blocks save products and cost calls
_GROWTH_TOKENS = 256  # by which a cache grows
_WORTH_KEEPING = 32  # tokens of another prompt; fewer are as soon read as copied


class KVCache:
    """Keys and values of every layer, for one sequence.

    Args:
        config: The network's.
        room: How many tokens fit at most; memory is taken for those that it holds.
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
        shape = (config.n_layer, 2, 1, config.n_head, 0, width)
        self._store = make_zeros(shape, dtype, device)  # [layer, k or v, B, H, S, D]
        self._room = room
        self._mask: Tensor | None = None  # [T, P + T], added to the scores of new tokens
        self.length = 0

    @property
    def room(self) -> int:
        """How many tokens fit at most."""
        return self._room

    @property
    def n_bytes(self) -> int:
        """How much memory it takes now."""
        return self._store.nbytes

    def bytes_for(self, n_tokens: int) -> int:
        """Returns how much memory that many tokens take."""
        layers, both, n_sequences, heads, _, width = self._store.shape
        per_token = layers * both * n_sequences * heads * width * self._store.element_size()
        return per_token * self._round_up(n_tokens)

    def _round_up(self, n_tokens: int) -> int:
        return min(self._room, -(-n_tokens // _GROWTH_TOKENS) * _GROWTH_TOKENS)

    def _grow(self, n_tokens: int) -> None:
        """Takes memory for that many tokens, if it has less."""
        if n_tokens <= self._store.shape[4]:
            return
        shape = list(self._store.shape)
        shape[4] = max(n_tokens, self._round_up(n_tokens))
        larger = make_zeros(shape, self._store.dtype, self._store.device)
        larger[..., : self.length, :] = self._store[..., : self.length, :]
        self._store = larger

    @property
    def filled(self) -> Tensor:
        """What it holds: ``[layer, key or value, H, P, D]``."""
        return self._store[:, :, 0, :, : self.length]

    def reserve(self, n_new: int) -> slice:
        """Returns the positions of the next ``n_new`` tokens."""
        end = self.length + n_new
        self._grow(end)
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
        if n_queries <= _BLOCK_TOKENS or store.device.type != "cpu":
            return self._attend_to(store, queries, end) if n_queries else queries
        blocks = []
        at = end - n_queries
        for block in torch.split(queries, _BLOCK_TOKENS, dim=2):
            at += block.shape[2]
            blocks.append(self._attend_to(store, block, at))
        return torch.cat(blocks, dim=2)

    def _attend_to(self, store: Tensor, queries: Tensor, end: int) -> Tensor:
        """Attends to the tokens before ``end``, the last of which are the queries' own."""
        mask = None
        if self._mask is not None:
            last = end - self.length
            mask = self._mask[last - queries.shape[2] : last, :end]
        seen = store[:, :, :, :end]
        return functional.scaled_dot_product_attention(queries, seen[0], seen[1], attn_mask=mask)

    def advance(self, n_new: int) -> None:
        """Counts the new tokens, once every layer has them."""
        self.length += n_new

    def truncate(self, length: int) -> None:
        """Drops all tokens from ``length`` on."""
        self.length = min(self.length, length)

    @torch.inference_mode()
    def copy(self, other: "KVCache", length: int) -> None:
        """Replaces what it holds by the first ``length`` tokens of another cache."""
        self.length = 0
        self._grow(length)
        self._store[:, :, 0, :, :length] = other.filled[:, :, :, :length]
        self.length = length


@dataclass(kw_only=True)
class CachedPrompt:
    """A cache and the ids whose keys and values it holds.

    ``prompt`` is what was read last; what was generated after it may follow in ``ids``.
    """

    cache: KVCache
    ids: list[int] = field(default_factory=list)
    prompt: Prompt | None = None

    def count_dropped(self, n_shared: int) -> int:
        """Returns how many tokens of the prompt are lost if all but the first ones go."""
        n_read = 0 if self.prompt is None else min(len(self.prompt.ids), len(self.ids))
        return max(0, n_read - n_shared)


class KVCachePool:
    """Finds the cache for a prompt, or makes one.

    Args:
        make: Returns an empty cache.
        budget_bytes: For all caches together; the pool always keeps at least one.
    """

    def __init__(self, make: Callable[[], KVCache], budget_bytes: int) -> None:
        self._make = make
        self._budget_bytes = budget_bytes
        self._cached = [CachedPrompt(cache=make())]  # the most recently used last

    def __len__(self) -> int:
        return len(self._cached)

    @property
    def n_bytes(self) -> int:
        """How much memory all caches take."""
        return sum(cached.cache.n_bytes for cached in self._cached)

    def find_closest(self, ids: Sequence[int]) -> tuple[CachedPrompt, int]:
        """Returns the cache that shares the most with a prompt, and how many tokens.

        If several share as much, it is the one that was used last.
        """
        shared = [common_length(cached.ids, ids) for cached in self._cached]
        best = max(range(len(shared)), key=lambda index: (shared[index], index))
        return self._cached[best], shared[best]

    def acquire(self, prompt: Prompt) -> CachedPrompt:
        """Returns the cache for a prompt, with the prefix that it shares and nothing else.

        The shared prefix never includes the prompt's last token: its hidden state is needed, so it
        is computed again.
        """
        self._shrink()
        closest, n_shared = self.find_closest(prompt.ids)
        n_reused = min(n_shared, len(prompt.ids) - 1)
        cached = closest
        if closest.count_dropped(n_reused) > _WORTH_KEEPING:
            cached = self._find_other(closest, len(prompt.ids))
        if cached is not closest:
            cached.cache.copy(closest.cache, n_reused)
            cached.ids = closest.ids[:n_reused]
        cached.cache.truncate(n_reused)
        del cached.ids[n_reused:]
        cached.prompt = prompt
        self._cached = [*(other for other in self._cached if other is not cached), cached]
        return cached

    def _find_other(self, kept: CachedPrompt, n_tokens: int) -> CachedPrompt:
        """Returns a cache other than ``kept``: a new one, or the oldest once the budget is spent.

        If there is room for one only, it is ``kept`` after all.
        """
        if self.n_bytes + kept.cache.bytes_for(n_tokens) <= self._budget_bytes:
            return CachedPrompt(cache=self._make())
        return next((other for other in self._cached if other is not kept), kept)

    def _shrink(self) -> None:
        """Drops the caches that have not been used for longest, if all have grown too large."""
        while len(self._cached) > 1 and self.n_bytes > self._budget_bytes:
            del self._cached[0]


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Returns the length of the longest common prefix."""
    n = min(len(first), len(second))
    if list(first[:n]) == list(second[:n]):
        return n
    return next(i for i in range(n) if first[i] != second[i])
