"""GPT-2: small enough to read, and equal to transformers' ``GPT2LMHeadModel``.

Parameter names and layouts are those of transformers (whose linear layers store weights as
``[in, out]``), so a state dict goes to and from an artifact unchanged. Training runs it on whole
blocks; a test compares its logits with transformers' model. Dropout is off unless a training sets
it (one pass over the data needs none). It deliberately has no loss and no generation.

Tensor legend: B batch, T tokens, P tokens already in the cache, C embedding width, H heads,
D width of one head, V vocabulary, R rows of the embedding.

Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners".
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from training.artifact.network.attention import Boundaries, attend, select_boundaries
from training.artifact.network.config import GPT2Config
from training.artifact.network.document_spans import DocumentSpans
from training.artifact.network.kernel_cache import limit_kernel_caches


class KeyValueCache(Protocol):
    """What attention needs from a key-value cache."""

    length: int  # P, before the current call

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Appends ``[B, H, T, D]`` and returns everything, ``[B, H, P + T, D]``."""
        ...


class Linear(nn.Module):
    """An affine layer with its weight as ``[in, out]``, as GPT-2 stores it."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``[..., in]`` to ``[..., out]``."""
        flat = torch.addmm(self.bias, x.reshape(-1, x.shape[-1]), self.weight)
        return flat.view(*x.shape[:-1], -1)


class Attention(nn.Module):
    """Causal self-attention, with or without a cache."""

    def __init__(self, config: GPT2Config, layer: int) -> None:
        super().__init__()
        self.c_attn = Linear(config.n_embd, 3 * config.n_embd)
        self.c_proj = Linear(config.n_embd, config.n_embd)
        self.n_head = config.n_head
        self.layer = layer
        self.attend: Callable[..., Tensor] = attend
        self.dropout = 0.0  # of attention's weights

    def forward(self, x: Tensor, cache: KeyValueCache | None, boundaries: Boundaries) -> Tensor:
        """Maps ``[B, T, C]`` to ``[B, T, C]``, attending to the ``P`` cached tokens too."""
        b, t, c = x.shape
        qkv = self.c_attn(x).view(b, t, 3, self.n_head, c // self.n_head)
        if cache is None:
            dropout = self.dropout if self.training else 0.0
            y = self.attend(qkv, boundaries, dropout=dropout)  # [B, T, H, D]
        else:
            past = cache.length
            q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each [B, H, T, D]
            k, v = cache.extend(self.layer, k, v)  # [B, H, P + T, D]
            mask = causal_mask(t, past, x.device) if t > 1 else None
            y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2)
        merged: Tensor = self.c_proj(y.reshape(b, t, c))
        return merged


class MultiLayerPerceptron(nn.Module):
    """The position-wise feed-forward part."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.c_fc = Linear(config.n_embd, 4 * config.n_embd)
        self.c_proj = Linear(4 * config.n_embd, config.n_embd)
        self.gelu_form = config.gelu_form

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``[B, T, C]`` to ``[B, T, C]``, each position independently."""
        y: Tensor = self.c_proj(functional.gelu(self.c_fc(x), approximate=self.gelu_form))
        return y


class Block(nn.Module):
    """One layer: attention, then feed-forward, each with a layer norm and a residual connection."""

    def __init__(self, config: GPT2Config, layer: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.attn = Attention(config, layer)
        self.ln_2 = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.mlp = MultiLayerPerceptron(config)
        self.dropout = 0.0  # of what each part adds

    def forward(self, x: Tensor, cache: KeyValueCache | None, boundaries: Boundaries) -> Tensor:
        """Maps the residual stream ``[B, T, C]`` to its next state."""
        x = x + drop(self.attn(self.ln_1(x), cache, boundaries), self)
        y: Tensor = x + drop(self.mlp(self.ln_2(x)), self)
        return y


class Transformer(nn.Module):
    """Embeddings and layers: ids to hidden states."""

    def __init__(self, config: GPT2Config, n_rows: int) -> None:
        super().__init__()
        self.wte = nn.Embedding(n_rows, config.n_embd)
        self.wpe = nn.Embedding(config.n_positions, config.n_embd)
        self.h = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.n_head = config.n_head
        self.gradient_checkpointing = False  # keep only each layer's input and recompute the rest
        self.dropout = 0.0  # of the sum of token and position vectors

    def forward(
        self,
        ids: Tensor,
        cache: KeyValueCache | None = None,
        documents: DocumentSpans | None = None,
    ) -> Tensor:
        """Maps ids ``[B, T]`` to hidden states ``[B, T, C]``.

        Args:
            ids: Tokens.
            cache: Keys and values of the tokens before; extended in place.
            documents: Document boundaries; None, as always with a cache, for one document.
        """
        start = 0 if cache is None else cache.length
        positions = torch.arange(start, start + ids.shape[1], device=ids.device)
        if documents is not None:
            positions = documents.positions
        x = drop(self.wte(ids) + self.wpe(positions), self)  # [B, T, C]
        head_width = x.shape[-1] // self.n_head
        dropout = self.dropout if self.training else 0.0
        boundaries = select_boundaries(documents, ids.device, head_width, dropout=dropout)
        for block in self.h:
            if self.gradient_checkpointing and self.training and cache is None:
                keeps_chance = self.dropout > 0  # drop the same values when computed again
                x = checkpoint(
                    block,
                    x,
                    None,
                    boundaries,
                    use_reentrant=False,
                    preserve_rng_state=keeps_chance,
                )
            else:
                x = block(x, cache, boundaries)
        y: Tensor = self.ln_f(x)
        return y


class GPT2(nn.Module):
    """The language model; its output layer shares the input embedding.

    Args:
        config: Its sizes.
        n_rows: Rows of the embedding, R: at least the vocabulary's tokens. The rows beyond are
            padding for faster products; no text has their ids. None for the tokens alone.
    """

    def __init__(self, config: GPT2Config, *, n_rows: int | None = None) -> None:
        super().__init__()
        limit_kernel_caches()
        self.config = config
        self.transformer = Transformer(config, n_rows or config.vocab_size)

    def set_dropout(self, share: float) -> None:
        """Sets the share of values that training drops; as in GPT-2, the same in all places."""
        for module in self.modules():
            if isinstance(module, (Attention, Block, Transformer)):
                module.dropout = share

    def forward(self, ids: Tensor, cache: KeyValueCache | None = None) -> Tensor:
        """Returns the logits ``[B, T, V]`` of ``ids`` ``[B, T]``."""
        return self.logits(self.compute_hidden(ids, cache))

    def compute_hidden(
        self,
        ids: Tensor,
        cache: KeyValueCache | None = None,
        documents: DocumentSpans | None = None,
    ) -> Tensor:
        """Returns the final hidden states ``[B, T, C]``, for callers that need few logits."""
        states: Tensor = self.transformer(ids, cache, documents)
        return states

    def logits(self, hidden: Tensor) -> Tensor:
        """Returns ``[..., V]`` for hidden states ``[..., C]``."""
        return functional.linear(hidden, self.output_weight)

    @property
    def output_weight(self) -> Tensor:
        """The output layer, ``[V, C]``: the embedding without its padding."""
        return self.transformer.wte.weight[: self.config.vocab_size]

    def n_parameters(self) -> int:
        """Returns the number of parameters; the shared embedding counts once."""
        return sum(p.numel() for p in self.parameters())


def drop(x: Tensor, module: Block | Transformer) -> Tensor:
    """Applies a module's dropout while it trains."""
    if not (module.dropout and module.training):
        return x
    return functional.dropout(x, module.dropout)


def causal_mask(n_new: int, n_past: int, device: torch.device) -> Tensor:
    """Returns ``[T, P + T]`` booleans: which keys each new query may attend to."""
    ones = torch.ones(n_new, n_past + n_new, dtype=torch.bool, device=device)
    return ones.tril(n_past)
