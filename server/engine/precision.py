"""What the engine makes of this machine: how many threads, and which matrices are fastest."""

import functools
import os
import time
from collections.abc import Callable
from typing import Literal

import torch

Precision = Literal["int8", "bfloat16", "float32"]

_MAX_THREADS = 4  # more only wait for one another at one token a step
_TRIED = (384, 4096)  # width of the input and of the output, larger than a layer's
_TRIED_ROWS = (1, 64)
_REPEATS = 5

# oneDNN's products of integers with AMX take three times as long as without for one row, and longer
# for many. It reads this before its first product; who has set it otherwise means it.
_WITHOUT_TILES = ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")


def use_threads(wanted: int) -> int:
    """Sets torch's threads and returns their number; 0 wants half of the cores.

    A thread that has to wait for a core stalls all the others at each of some forty operations a
    token, so the default leaves half of the cores to the editor and the user's own programs.
    """
    cores = os.cpu_count() or 1
    threads = wanted or min(_MAX_THREADS, max(1, cores // 2))
    torch.set_num_threads(threads)
    return threads


def chosen_precision(wanted: Literal["auto"] | Precision) -> Precision:
    """Returns the kind of matrices; "auto" is the one that multiplies fastest here."""
    if wanted in {"auto", "int8"}:
        os.environ.setdefault(*_WITHOUT_TILES)
    return fastest_precision() if wanted == "auto" else wanted


@functools.cache
def fastest_precision() -> Precision:
    """Measures products of each kind, a few milliseconds in all.

    Which is fastest depends on the processor's instructions and on how torch was built; some builds
    multiply bfloat16 or integers in plain loops, a hundred times as slowly.
    """
    taken = {precision: _seconds(product) for precision, product in _products().items()}
    return min(taken, key=lambda precision: taken[precision])


def _products() -> dict[Precision, Callable[[int], object]]:
    n_in, n_out = _TRIED
    weight = torch.ones(n_out, n_in)
    halves = weight.bfloat16()
    integers = weight.to(torch.int8).t()
    rows = {n: torch.ones(n, n_in) for n in _TRIED_ROWS}
    return {
        "int8": lambda n: torch._int_mm(rows[n].to(torch.int8), integers),  # noqa: SLF001
        "bfloat16": lambda n: torch.nn.functional.linear(rows[n].bfloat16(), halves),
        "float32": lambda n: torch.nn.functional.linear(rows[n], weight),
    }


def _seconds(product: Callable[[int], object]) -> float:
    """Returns what a token and a piece of a prompt take together, at best."""
    total = 0.0
    try:
        for n_rows in _TRIED_ROWS:
            best = float("inf")
            for _ in range(_REPEATS):
                started = time.perf_counter()
                product(n_rows)
                best = min(best, time.perf_counter() - started)
            total += best / n_rows
    except (RuntimeError, NotImplementedError):  # this build has no such product
        return float("inf")
    return total
