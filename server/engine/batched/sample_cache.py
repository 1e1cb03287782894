"""Keys and values of samples that share a prompt: the prompt's once, and each sample's own.

All samples are at the same position. One that ends leaves: the last takes its place, so that a step
costs what is still running. A step can have fixed shapes, which a recorded CUDA graph needs: then
the prompt's part has its full length, the samples' part grows in blocks, and a mask hides the rest.

Tensor legend: B samples that run, R samples there is room for, H heads, P positions for the
prompt, S positions for a sample, T tokens the samples see of their own, D width of one head.
"""

import torch
from torch import Tensor

from server.engine.kv_cache import KVCache
from training.artifact.network.config import GPT2Config


class SampleCache:
    """Room for samples of one prompt after another.

    Args:
        config: The network's.
        n_rows: How many samples fit.
        prompt_room: The longest prompt.
        room: The most tokens of a sample.
        device: Where it is kept.
        dtype: In which it is kept and attended to.
        block: In steps of how many tokens the samples' part grows; 1 for exact shapes.
    """

    def __init__(
        self,
        config: GPT2Config,
        *,
        n_rows: int,
        prompt_room: int,
        room: int,
        device: torch.device,
        dtype: torch.dtype,
        block: int = 1,
    ) -> None:
        layers, heads, width = config.n_layer, config.n_head, config.n_embd // config.n_head
        room = -(-room // block) * block
        prompt_shape = (layers, 2, heads, prompt_room, width)
        own_shape = (layers, 2, n_rows, heads, room, width)
        make = torch.empty if block == 1 else torch.zeros  # hidden values must be numbers
        self._prompt = make(prompt_shape, device=device, dtype=dtype)
        self._own = make(own_shape, device=device, dtype=dtype)
        self._mask = torch.zeros(prompt_room + room, device=device, dtype=dtype)  # of the scores
        self._at = torch.zeros(1, dtype=torch.long, device=device)  # among a sample's own tokens
        self._position = torch.zeros(1, dtype=torch.long, device=device)
        self._block = block
        self._scale = width**-0.5
        self.n_prompt = 0
        self.n_own = 0

    @property
    def capacity(self) -> tuple[int, int, int]:
        """How many samples fit, how long a prompt, and how many tokens of a sample."""
        return self._own.shape[2], self._prompt.shape[3], self._own.shape[4]

    @property
    def n_seen(self) -> int:
        """How many of its own positions a sample sees in the next step, hidden ones included."""
        return -(-(self.n_own + 1) // self._block) * self._block

    @staticmethod
    def row_bytes(config: GPT2Config, room: int, dtype: torch.dtype) -> int:
        """Returns what a sample of ``room`` tokens takes."""
        return 2 * config.n_layer * config.n_embd * room * dtype.itemsize

    def start(self, prompt: KVCache) -> None:
        """Begins samples of the prompt that a cache holds."""
        self.n_prompt, self.n_own = prompt.length, 0
        self._prompt[:, :, :, : self.n_prompt] = prompt.filled
        if self._block > 1:
            self._mask.fill_(float("-inf"))
            self._mask[: self.n_prompt] = 0
        self.prepare()

    def prepare(self) -> None:
        """Sets what a step of fixed shapes reads: where it writes, and what it sees."""
        if self._block > 1:
            self._at.fill_(self.n_own)
            self._position.fill_(self.n_prompt + self.n_own)
            self._mask[self._prompt.shape[3] + self.n_own] = 0

    def reserve(self, n_new: int) -> slice | Tensor:
        """Returns the position of the next token of every sample."""
        if n_new != 1:
            raise ValueError(f"samples grow by one token at a time, not {n_new}")
        position = self.n_prompt + self.n_own
        return slice(position, position + 1) if self._block == 1 else self._position

    def attend(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Appends the new tokens' keys and values, and attends: all are ``[B, H, 1, D]``.

        In a step of fixed shapes B may exceed the samples that run; the rest is not used.
        """
        n_rows, seen = len(queries), self.n_seen
        own = self._own[layer, :, :n_rows]  # [2, B, H, S, D]
        if self._block == 1:
            own[0, :, :, self.n_own], own[1, :, :, self.n_own] = keys[:, :, 0], values[:, :, 0]
            n_prompt = self.n_prompt
        else:
            own[0].index_copy_(2, self._at, keys.to(own.dtype))
            own[1].index_copy_(2, self._at, values.to(own.dtype))
            n_prompt = self._prompt.shape[3]
        prompt = self._prompt[layer, :, :, :n_prompt]  # [2, H, P, D]
        queries = queries.to(own.dtype) * self._scale
        by_head = queries[:, :, 0].transpose(0, 1)  # [H, B, D]
        own = own[:, :, :, :seen]  # [2, B, H, T, D]
        scores = queries.new_empty(n_rows, queries.shape[1], n_prompt + seen)  # [B, H, P + T]
        scores[..., :n_prompt] = torch.bmm(by_head, prompt[0].mT).transpose(0, 1)
        scores[..., n_prompt:] = torch.matmul(queries, own[0].mT)[:, :, 0]
        if self._block > 1:
            scores += self._mask[: n_prompt + seen]
        weights = scores.softmax(dim=-1, dtype=torch.float32).to(scores.dtype)
        attended = torch.bmm(weights[..., :n_prompt].transpose(0, 1), prompt[1])  # [H, B, D]
        attended_own = torch.matmul(weights[..., None, n_prompt:], own[1])  # [B, H, 1, D]
        return attended_own + attended.transpose(0, 1)[:, :, None]

    def advance(self, n_new: int) -> None:
        """Counts the new token, once every layer has it."""
        self.n_own += n_new

    def move(self, source: int, target: int) -> None:
        """Lets one sample take the place of another, which has ended."""
        own = self._own[:, :, :, :, : self.n_own]
        own[:, :, target] = own[:, :, source]
