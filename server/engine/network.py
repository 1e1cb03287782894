"""GPT-2's forward pass over a cache, with as little overhead as possible.

The same network as :mod:`training.artifact.network.gpt2` (a test compares their logits), without
``torch.nn`` modules and with weights laid out for products with few rows
(:mod:`server.engine.weights.quantized_linear`). The residual stream and the norms are float32, and
so are attention and the cache on a CPU, because attending to a bfloat16 cache with one query is ten
times slower there. The cache itself attends: one sequence's (:mod:`server.engine.kv_cache`), or
that of samples that share a prompt (:mod:`server.engine.batched.sample_cache`). The network knows
no text and does not choose tokens.

Tensor legend: B sequences, T new tokens, N the last of them, C embedding width, H heads, D width of
one head, V vocabulary.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from server.engine.kv_cache import KVCache
from server.engine.weights.huge_pages import HugePages
from server.engine.weights.precision import Precision
from server.engine.weights.quantized_linear import Linear, make_linear
from training.artifact.network.config import GPT2Config

_HALF, _SQRT_HALF = torch.tensor(0.5), torch.tensor(math.sqrt(0.5))


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


class AttentionCache(Protocol):
    """What the forward pass needs of a cache."""

    def reserve(self, n_new: int) -> slice | Tensor:
        """Returns the positions of the next ``n_new`` tokens."""

    def attend(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Appends the new tokens' keys and values ``[B, H, T, D]``, and attends.

        ``queries`` are those of the last of them ``[B, H, N, D]``.
        """

    def advance(self, n_new: int) -> None:
        """Counts the new tokens, once every layer has them."""


class Network:
    """The forward pass over an artifact's weights.

    Args:
        config: The artifact's.
        weights: The artifact's.
        precision: In which they are multiplied; 8-bit integers only on a CPU.
        device: Where they are; None for the CPU.
    """

    def __init__(
        self,
        config: GPT2Config,
        weights: Mapping[str, Tensor],
        precision: Precision,
        device: torch.device | None = None,
    ) -> None:
        self.config = config
        self.device = device or torch.device("cpu")
        self._weights = {name: weight.to(self.device) for name, weight in weights.items()}
        self._precision = precision
        self._pages = HugePages()
        embedding = self._weights["transformer.wte.weight"]  # [V, C]
        self._embedding = self._pages.hold(embedding.float())
        self._positions = self._weights["transformer.wpe.weight"].float()  # [S, C]
        self._output = make_linear(self._embedding, None, precision, self._pages)
        self._final_norm = self._norm("transformer.ln_f")
        self._layers = [self._layer(f"transformer.h.{i}") for i in range(config.n_layer)]
        del self._weights  # copied into another layout; the artifact's own tensors may be freed

    def new_cache(self) -> KVCache:
        """Returns an empty cache for one sequence of any length that the model supports."""
        return KVCache(
            self.config,
            room=self.config.n_positions,
            device=self.device,
            dtype=self.cache_dtype,
        )

    @property
    def cache_dtype(self) -> torch.dtype:
        """In which keys and values are kept."""
        is_half = self._precision == "bfloat16" and self.device.type != "cpu"
        return torch.bfloat16 if is_half else torch.float32

    @torch.inference_mode()
    def extend(self, ids: Tensor, cache: AttentionCache, *, n_last: int | None = None) -> Tensor:
        """Appends ``ids`` ``[B, T]`` to the cache; returns the hidden states ``[B, N, C]``.

        Args:
            ids: The new tokens.
            cache: What precedes them.
            n_last: Of how many of the last tokens the hidden states are needed, N; None for all. Of
                the others, the last layer computes only keys and values.
        """
        n_new = ids.shape[1]
        n_last = n_new if n_last is None else n_last
        ids = ids.to(self.device)
        x = self._embedding[ids] + self._positions[cache.reserve(n_new)]  # [B, T, C]
        for index, layer in enumerate(self._layers):
            n_queries = n_last if index == len(self._layers) - 1 else n_new
            attended = self._attention(index, layer, x, cache, n_queries)
            if n_queries == 0:
                x = attended
                break
            x = x[:, n_new - n_queries :] + layer.attention_out(attended)
            x = x + layer.mlp_out(self._activate(layer.mlp_in(layer.norm_2(x))))
        cache.advance(n_new)
        return x

    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        """Returns float32 logits ``[B, V]`` for hidden states ``[B, C]``."""
        return self._output(self._final_norm(hidden))

    def _attention(
        self, index: int, layer: _Layer, x: Tensor, cache: AttentionCache, n_queries: int
    ) -> Tensor:
        """Appends keys and values; returns what the last ``n_queries`` tokens attend to."""
        n_sequences, n_new, width = x.shape
        heads = self.config.n_head
        qkv = layer.attention_in(layer.norm_1(x))  # [B, T, 3C]
        q, k, v = qkv.view(n_sequences, n_new, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        y = cache.attend(index, q[:, :, n_new - n_queries :], k, v).to(x.dtype)  # [B, H, N, D]
        return y.transpose(1, 2).reshape(n_sequences, n_queries, width)  # [B, N, C]

    def _activate(self, x: Tensor) -> Tensor:
        """Applies GELU to a tensor that nothing else needs.

        Its exact form is composed here on a CPU, where PyTorch's own prepares a kernel at each
        call, which takes longer than applying it to a few rows.
        """
        if self.config.gelu_form != "none" or self.device.type != "cpu":
            return functional.gelu(x, approximate=self.config.gelu_form)
        halves = x.mul(_HALF)
        return halves.addcmul_(halves, x.mul_(_SQRT_HALF).erf_())

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
        return make_linear(weight.t(), bias, self._precision, self._pages)

    def _norm(self, name: str) -> _Norm:
        gain, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        epsilon = self.config.layer_norm_epsilon
        return _Norm(gain=gain.float(), bias=bias.float(), epsilon=epsilon)
