"""Takes only what the processor has left over, as background work should."""

import contextlib
import os
from pathlib import Path

import psutil

_LOWEST = 19


def yield_processor() -> None:
    """Lets every other process go first."""
    process = psutil.Process()
    idle = getattr(psutil, "IDLE_PRIORITY_CLASS", None)  # on Windows
    process.nice(_LOWEST if idle is None else idle)
    if not hasattr(os, "getsid") or os.getsid(0) != os.getpid():
        return  # the session's other processes, the editor perhaps, would be slowed down too
    with contextlib.suppress(OSError):  # not Linux, or without such groups
        Path("/proc/self/autogroup").write_text(str(_LOWEST), encoding="ascii")
