"""GPT-2 for one machine's CPU: a cached forward pass with as little around it as possible.

The same network as :mod:`training.artifact.network.gpt2` (a test holds their logits together),
without modules and with matrices laid out for products with few rows
(:mod:`server.engine.quantized_linear`). The residual stream, the norms, attention and the cache
are float32, because one query against a cache of bfloat16 is ten times slower on CPUs than against
float32. It knows no text and chooses nothing.

Tensor legend: B sequences, T new tokens, P tokens in the cache, S positions the cache has room
for, C embedding width, H heads, D width of one head, V vocabulary.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from server.engine.precision import Precision
from server.engine.quantized_linear import Matrix, make_matrix
from training.artifact.network.config import GPT2Config


class KeyValues:
    """Keys and values of every layer, for ``B`` sequences of one common length."""

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
        """How much memory it takes, full or not."""
        return self._store.nbytes

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Appends ``[B, H, T, D]`` behind ``length``; returns all ``[B, H, P + T, D]``."""
        end = self.length + keys.shape[2]
        store = self._store[layer]
        store[0, :, :, self.length : end] = keys
        store[1, :, :, self.length : end] = values
        return store[0, :, :, :end], store[1, :, :, :end]

    def truncate(self, length: int) -> None:
        """Forgets all tokens from ``length`` on."""
        self.length = min(self.length, length)

    def repeated(self, n_sequences: int, *, room: int) -> "KeyValues":
        """Returns ``n_sequences`` copies of the only sequence, each free to go its own way."""
        copy = KeyValues(self._config, n_sequences=n_sequences, room=room)
        copy.length = self.length
        copy._store[:, :, :, :, : self.length] = self._store[:, :, :, :, : self.length]
        return copy

    def keep(self, rows: Sequence[int]) -> None:
        """Drops all sequences but these."""
        self._store = self._store[:, :, list(rows)]


@dataclass(frozen=True, kw_only=True)
class _Norm:
    gain: Tensor
    bias: Tensor
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, self.gain.shape, self.gain, self.bias, self.epsilon)


@dataclass(frozen=True, kw_only=True)
class _Layer:
    norm_1: _Norm
    attend: Matrix
    merge: Matrix
    norm_2: _Norm
    widen: Matrix
    narrow: Matrix


class Network:
    """The forward pass over an artifact's weights."""

    def __init__(
        self, config: GPT2Config, weights: Mapping[str, Tensor], precision: Precision
    ) -> None:
        self.config = config
        self._weights = weights
        self._precision = precision
        self._embedding = weights["transformer.wte.weight"].float()  # [V, C]
        self._positions = weights["transformer.wpe.weight"].float()  # [S, C]
        self._output = make_matrix(self._embedding, None, precision)
        self._final_norm = self._norm("transformer.ln_f")
        self._layers = [self._layer(f"transformer.h.{i}") for i in range(config.n_layer)]
        room = torch.ones(config.n_positions, config.n_positions, dtype=torch.bool)
        self._causal = room.tril()  # [S, S]
        del self._weights  # laid out anew; the artifact's own copy may go

    def new_cache(self) -> KeyValues:
        """Returns an empty cache for one sequence of any length the model takes."""
        return KeyValues(self.config, n_sequences=1, room=self.config.n_positions)

    @torch.inference_mode()
    def extend(self, ids: Tensor, cache: KeyValues) -> Tensor:
        """Appends ``ids`` ``[B, T]`` to the cache; returns the hidden states ``[B, T, C]``."""
        past, n_new = cache.length, ids.shape[1]
        x = self._embedding[ids] + self._positions[past : past + n_new]  # [B, T, C]
        mask = self._causal[past : past + n_new, : past + n_new] if n_new > 1 else None
        for index, layer in enumerate(self._layers):
            x = x + layer.merge(self._attention(index, layer, x, cache, mask))
            hidden = layer.widen(layer.norm_2(x))
            x = x + layer.narrow(functional.gelu(hidden, approximate=self.config.gelu_form))
        cache.length += n_new
        return x

    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        """Returns float32 logits ``[B, V]`` for hidden states ``[B, C]``."""
        return self._output(self._final_norm(hidden))

    def _attention(
        self, index: int, layer: _Layer, x: Tensor, cache: KeyValues, mask: Tensor | None
    ) -> Tensor:
        n_sequences, n_new, width = x.shape
        heads = self.config.n_head
        qkv = layer.attend(layer.norm_1(x))  # [B, T, 3C]
        q, k, v = qkv.view(n_sequences, n_new, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        keys, values = cache.extend(index, k, v)  # [B, H, P + T, D]
        y = functional.scaled_dot_product_attention(q, keys, values, attn_mask=mask)
        return y.transpose(1, 2).reshape(n_sequences, n_new, width)  # [B, T, C]

    def _layer(self, name: str) -> _Layer:
        return _Layer(
            norm_1=self._norm(f"{name}.ln_1"),
            attend=self._affine(f"{name}.attn.c_attn"),
            merge=self._affine(f"{name}.attn.c_proj"),
            norm_2=self._norm(f"{name}.ln_2"),
            widen=self._affine(f"{name}.mlp.c_fc"),
            narrow=self._affine(f"{name}.mlp.c_proj"),
        )

    def _affine(self, name: str) -> Matrix:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return make_matrix(weight.t(), bias, self._precision)

    def _norm(self, name: str) -> _Norm:
        gain, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        epsilon = self.config.layer_norm_epsilon
        return _Norm(gain=gain.float(), bias=bias.float(), epsilon=epsilon)
