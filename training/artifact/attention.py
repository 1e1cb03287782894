"""Causal attention over whole sequences, in the form that is fastest where it runs.

On a CPU the fused kernel spends as long above the diagonal as below it; cutting the queries into
blocks that look at their own past only saves about a third of the time, forward and backward
(``tests/benchmarks/attention.py`` prints both). Elsewhere torch's fused kernel is used. Both
give the same values; a test holds them together.

Tensor legend: B batch, H heads, T tokens, D width of one head, Q queries of one block.
"""

import torch
from torch import Tensor
from torch.nn import functional

CPU_BLOCK_TOKENS = 256


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Returns the attention output ``[B, H, T, D]`` of queries, keys, values ``[B, H, T, D]``."""
    if q.device.type == "cpu" and q.shape[-2] > CPU_BLOCK_TOKENS:
        return blocked_attention(q, k, v, CPU_BLOCK_TOKENS)
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def blocked_attention(q: Tensor, k: Tensor, v: Tensor, block_tokens: int) -> Tensor:
    """:func:`causal_attention`, a block of queries at a time against the keys up to its end."""
    n_tokens = q.shape[-2]
    q = q * q.shape[-1] ** -0.5
    future = _future_mask(block_tokens, q)
    parts = []
    for start in range(0, n_tokens, block_tokens):
        end = min(start + block_tokens, n_tokens)
        size = end - start
        scores = q[..., start:end, :] @ k[..., :end, :].transpose(-1, -2)  # [B, H, Q, end]
        scores[..., start:] += future[:size, :size]
        parts.append(torch.softmax(scores, dim=-1) @ v[..., :end, :])
    return torch.cat(parts, dim=-2)


def _future_mask(size: int, like: Tensor) -> Tensor:
    full = torch.full((size, size), float("-inf"), dtype=like.dtype, device=like.device)
    return full.triu(1)
