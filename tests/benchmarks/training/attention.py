"""Causal attention on a CPU: ours against torch's fused kernel, forward and backward.

Run: ``python tests/benchmarks/training/attention.py``. Prints milliseconds of both and their ratio,
for rows of one document and for rows of several (there the fused kernel needs a mask).
"""

import time

import torch

from training.artifact.network.attention import causal_attention, fused_attention
from training.artifact.network.document_spans import DocumentSpans

BATCH, HEADS, TOKENS, WIDTH = 8, 6, 1024, 64  # the default model's training step
EDGES = (0, 150, 600)  # of the documents in a row of several
REPEATS = 5


def dense_attention(qkv, documents):
    return fused_attention(qkv, documents and documents.mask)


def milliseconds(function, documents, dtype):
    qkv = torch.randn(BATCH, TOKENS, 3, HEADS, WIDTH, dtype=dtype, requires_grad=True)
    function(qkv, documents).sum().backward()
    started = time.perf_counter()
    for _ in range(REPEATS):
        function(qkv, documents).sum().backward()
    return (time.perf_counter() - started) / REPEATS * 1e3


def main():
    firsts = torch.zeros(BATCH, TOKENS, dtype=torch.long)
    for edge in EDGES:
        firsts[:, edge:] = edge
    for name, documents in (("one document", None), ("several documents", DocumentSpans(firsts))):
        for dtype in (torch.bfloat16, torch.float32):
            a = milliseconds(dense_attention, documents, dtype)
            b = milliseconds(causal_attention, documents, dtype)
            print(f"{name}, {dtype}: fused {a:.0f} ms, ours {b:.0f} ms, ratio {a / b:.2f}")


if __name__ == "__main__":
    main()
