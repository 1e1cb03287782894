"""Causal attention on a CPU: cut into blocks against torch's fused kernel, forward and backward.

Run: ``python tests/benchmarks/attention.py``. Prints milliseconds of both and their ratio.
"""

import time

import torch
from torch.nn import functional

from training.artifact.attention import CPU_BLOCK_TOKENS, blocked_attention

BATCH, HEADS, TOKENS, WIDTH = 8, 6, 1024, 64  # the default model's training step
REPEATS = 5


def fused(q, k, v):
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def blocked(q, k, v):
    return blocked_attention(q, k, v, CPU_BLOCK_TOKENS)


def milliseconds(function, dtype):
    q, k, v = (
        torch.randn(BATCH, HEADS, TOKENS, WIDTH, dtype=dtype, requires_grad=True) for _ in range(3)
    )
    function(q, k, v).sum().backward()
    started = time.perf_counter()
    for _ in range(REPEATS):
        function(q, k, v).sum().backward()
    return (time.perf_counter() - started) / REPEATS * 1e3


def main():
    for dtype in (torch.bfloat16, torch.float32):
        a, b = milliseconds(fused, dtype), milliseconds(blocked, dtype)
        print(f"{dtype}: fused {a:.0f} ms, blocked {b:.0f} ms, ratio {a / b:.2f}")


if __name__ == "__main__":
    main()
