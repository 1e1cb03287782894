"""How much of the machine a training uses: model FLOPs utilisation (MFU).

The arithmetic a token needs, over the fastest matrix product that was measured on this very machine
when the run began: 1.0 would be a training that does nothing but multiply at full speed.

Source: Chowdhery et al. 2022, "PaLM", arXiv:2204.02311, appendix B; attention is counted for the
half of the scores that a causal model looks at.
"""

import time

import torch
from torch import Tensor

from training.artifact.network.config import GPT2Config

REPEATS = 5
WIDTHS = (256, 512, 1024, 2048, 4096, 8192)  # of the square matrices tried
LONG_ENOUGH_S = 0.01  # wider ones tell nothing new: full speed is reached, or there is none


def flops_per_token(config: GPT2Config) -> float:
    """Returns the floating-point operations of one token of training, forward and backward."""
    matrices = 12 * config.n_layer * config.n_embd**2 + config.vocab_size * config.n_embd
    attention = config.n_layer * config.n_embd * config.n_positions
    return 6.0 * (matrices + attention)


def matmul_peak(dtype: torch.dtype, device: torch.device) -> float:
    """Returns the operations a second of the best of a few square matrix products."""
    best = 0.0
    for n in WIDTHS:
        a = torch.ones(n, n, dtype=dtype, device=device)
        seconds = min(_product_s(a) for _ in range(REPEATS))
        best = max(best, 2 * n**3 / seconds)
        if seconds > LONG_ENOUGH_S:
            break
    return best


def _product_s(a: Tensor) -> float:
    started = time.perf_counter()
    float((a @ a)[0, 0])  # waits for the device
    return time.perf_counter() - started
