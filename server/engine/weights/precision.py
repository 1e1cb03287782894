"""Chooses threads and precision for this machine, by measuring which product is fastest."""

import functools
import os
import time
from collections.abc import Callable
from typing import Literal

import torch

from training.artifact.network.bfloat16 import has_bfloat16_products
from training.foundation.parallel.cores import count_cores

Precision = Literal["int8", "bfloat16", "float32"]

_MAX_THREADS = 4  # more would only wait for one another while tokens come one at a time
_WIDTHS = (384, 4096)  # of the measured product: input and output, wider than a layer's
_ROW_COUNTS = (1, 64)  # one token, and a piece of a prompt
_REPEATS = 5

# With AMX, oneDNN's integer products take three times as long for one row, and longer for many
# rows too. oneDNN reads this variable before its first product; a value set by the user stays.
_WITHOUT_AMX = ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")


def set_threads(wanted: int) -> int:
    """Sets the number of torch's threads and returns it; 0 means half of the cores.

    A thread that waits for a core stalls the others in each of some forty operations per token, so
    the default leaves half of the cores to the editor and the user's programs.
    """
    threads = wanted or min(_MAX_THREADS, max(1, count_cores() // 2))
    torch.set_num_threads(threads)
    return threads


def resolve_precision(wanted: Literal["auto"] | Precision) -> Precision:
    """Returns the precision to use; "auto" is the one whose products are fastest here."""
    if wanted in {"auto", "int8"}:
        os.environ.setdefault(*_WITHOUT_AMX)
    return fastest_precision() if wanted == "auto" else wanted


def choose_batch_precision() -> Precision:
    """Returns the precision that is fastest for many rows at once, by the processor alone."""
    return "bfloat16" if has_bfloat16_products() else "float32"


@functools.cache
def fastest_precision() -> Precision:
    """Measures a product in each precision, which takes a few milliseconds in all.

    Which one is fastest depends on the processor's instructions and on how torch was built: some
    builds multiply bfloat16 or integers in plain loops, a hundred times as slowly.
    """
    seconds = {precision: _measure(product) for precision, product in _products().items()}
    return min(seconds, key=lambda precision: seconds[precision])


def _products() -> dict[Precision, Callable[[int], object]]:
    """Returns a product of ``n`` rows for each precision."""
    n_in, n_out = _WIDTHS
    weight = torch.ones(n_out, n_in)
    weight_bf16 = weight.bfloat16()
    weight_int8 = weight.to(torch.int8).t()
    rows = {n: torch.ones(n, n_in) for n in _ROW_COUNTS}
    return {
        "int8": lambda n: torch._int_mm(rows[n].to(torch.int8), weight_int8),  # noqa: SLF001
        "bfloat16": lambda n: torch.nn.functional.linear(rows[n].bfloat16(), weight_bf16),
        "float32": lambda n: torch.nn.functional.linear(rows[n], weight),
    }


def _measure(product: Callable[[int], object]) -> float:
    """Returns the best seconds per row, added up over the row counts."""
    total = 0.0
    try:
        for n_rows in _ROW_COUNTS:
            best = float("inf")
            for _ in range(_REPEATS):
                started = time.perf_counter()
                product(n_rows)
                best = min(best, time.perf_counter() - started)
            total += best / n_rows
    except (RuntimeError, NotImplementedError):  # this build of torch has no such product
        return float("inf")
    return total
