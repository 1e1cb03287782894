"""What the engine makes of this machine: how many threads, and which type for the matrices."""

import os
from typing import Literal

import torch

_MAX_THREADS = 4  # more only wait for one another at one token a step
_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16")


def use_threads(wanted: int) -> int:
    """Sets torch's threads and returns their number; 0 wants half of the cores.

    A thread that has to wait for a core stalls all the others at each of some forty operations a
    token, so the default leaves half of the cores to the editor and the user's own programs.
    """
    cores = os.cpu_count() or 1
    threads = wanted or min(_MAX_THREADS, max(1, cores // 2))
    torch.set_num_threads(threads)
    return threads


def matrix_dtype(wanted: Literal["auto", "float32", "bfloat16"]) -> torch.dtype:
    """Returns the matrices' type; "auto" is bfloat16 where the processor multiplies it."""
    if wanted == "auto":
        able = torch.cpu.get_capabilities()
        return torch.bfloat16 if any(able.get(name) for name in _BFLOAT16) else torch.float32
    return torch.float32 if wanted == "float32" else torch.bfloat16
