"""Takes what the processor has left over, as background work should."""

import contextlib
import os
from pathlib import Path

import psutil

LOWEST = 19  # next to nothing where others are busy
LOW = 10  # a tenth of what each of the others gets


def yield_processor(niceness: int = LOWEST) -> None:
    """Lets other processes go first.

    Args:
        niceness: How far, as Unix counts it: ``LOWEST`` or ``LOW``.
    """
    process = psutil.Process()
    name = "IDLE_PRIORITY_CLASS" if niceness == LOWEST else "BELOW_NORMAL_PRIORITY_CLASS"
    on_windows = getattr(psutil, name, None)
    process.nice(niceness if on_windows is None else on_windows)
    if not hasattr(os, "getsid") or os.getsid(0) != os.getpid():
        return  # the session's other processes, the editor perhaps, would be slowed down too
    with contextlib.suppress(OSError):  # not Linux, or without such groups
        Path("/proc/self/autogroup").write_text(str(niceness), encoding="ascii")
