"""How many threads a process on a CPU computes with, of the cores that there are.

Without being told, ``accelerate launch`` gives each process one thread.
"""

import os
from collections.abc import Mapping

from training.foundation.parallel.cores import count_cores, count_local_processes
from training.processes.hints import print_hint


def describe_idle_cores(environment: Mapping[str, str], n_cores: int) -> str | None:
    """Returns how to use cores that would have nothing to do; None if there are none.

    Args:
        environment: Of a training process without a GPU.
        n_cores: The cores for all processes here.
    """
    n_processes = count_local_processes(environment)
    n_threads = n_cores // n_processes
    if environment.get("OMP_NUM_THREADS") != "1" or n_threads <= 1:
        return None
    each = "" if n_processes == 1 else " each"
    return (
        f"training computes with one thread{each}, as accelerate launch sets it; with"
        f" OMP_NUM_THREADS={n_threads} before the command, or by parrotlet pretrain, it uses all"
        f" {n_cores} cores"
    )


def hint_at_idle_cores() -> None:
    """Prints how to use cores that have nothing to do, if there are any."""
    hint = describe_idle_cores(os.environ, count_cores())
    if hint is not None:
        print_hint(hint)
