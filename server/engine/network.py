"""GPT-2 on the CPU: a cached forward pass with as little overhead as possible.

The same network as :mod:`training.artifact.network.gpt2` (a test compares their logits), without
``torch.nn`` modules and with weights laid out for products with few rows
(:mod:`server.engine.quantized_linear`). The residual stream, the norms, attention and the cache
are float32, because attending to a bfloat16 cache with one query is ten times slower on CPUs. It
knows no text and does not choose tokens.

Tensor legend: B sequences, T new tokens, P tokens in the cache, S positions the model has, C
embedding width, H heads, D width of one head, V vocabulary.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from server.engine.kv_cache import KVCache
from server.engine.precision import Precision
from server.engine.quantized_linear import Linear, make_linear
from training.artifact.network.config import GPT2Config


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
    attention_in: Linear
    attention_out: Linear
    norm_2: _Norm
    mlp_in: Linear
    mlp_out: Linear


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
        self._output = make_linear(self._embedding, None, precision)
        self._final_norm = self._norm("transformer.ln_f")
        self._layers = [self._layer(f"transformer.h.{i}") for i in range(config.n_layer)]
        square = torch.ones(config.n_positions, config.n_positions, dtype=torch.bool)
        self._causal = square.tril()  # [S, S]
        del self._weights  # copied into another layout; the artifact's own tensors may be freed

    def new_cache(self) -> KVCache:
        """Returns an empty cache for one sequence of any length that the model supports."""
        return KVCache(self.config, n_sequences=1, room=self.config.n_positions)

    @torch.inference_mode()
    def extend(self, ids: Tensor, cache: KVCache) -> Tensor:
        """Appends ``ids`` ``[B, T]`` to the cache; returns the hidden states ``[B, T, C]``."""
        past, n_new = cache.length, ids.shape[1]
        x = self._embedding[ids] + self._positions[past : past + n_new]  # [B, T, C]
        mask = self._causal[past : past + n_new, : past + n_new] if n_new > 1 else None
        for index, layer in enumerate(self._layers):
            x = x + layer.attention_out(self._attention(index, layer, x, cache, mask))
            hidden = layer.mlp_in(layer.norm_2(x))
            x = x + layer.mlp_out(functional.gelu(hidden, approximate=self.config.gelu_form))
        cache.length += n_new
        return x

    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        """Returns float32 logits ``[B, V]`` for hidden states ``[B, C]``."""
        return self._output(self._final_norm(hidden))

    def _attention(
        self, index: int, layer: _Layer, x: Tensor, cache: KVCache, mask: Tensor | None
    ) -> Tensor:
        n_sequences, n_new, width = x.shape
        heads = self.config.n_head
        qkv = layer.attention_in(layer.norm_1(x))  # [B, T, 3C]
        q, k, v = qkv.view(n_sequences, n_new, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        keys, values = cache.append(index, k, v)  # [B, H, P + T, D]
        y = functional.scaled_dot_product_attention(q, keys, values, attn_mask=mask)
        return y.transpose(1, 2).reshape(n_sequences, n_new, width)  # [B, T, C]

    def _layer(self, name: str) -> _Layer:
        return _Layer(
            norm_1=self._norm(f"{name}.ln_1"),
            attention_in=self._affine(f"{name}.attn.c_attn"),
            attention_out=self._affine(f"{name}.attn.c_proj"),
            norm_2=self._norm(f"{name}.ln_2"),
            mlp_in=self._affine(f"{name}.mlp.c_fc"),
            mlp_out=self._affine(f"{name}.mlp.c_proj"),
        )

    def _affine(self, name: str) -> Linear:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return make_linear(weight.t(), bias, self._precision)

    def _norm(self, name: str) -> _Norm:
        gain, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        epsilon = self.config.layer_norm_epsilon
        return _Norm(gain=gain.float(), bias=bias.float(), epsilon=epsilon)
