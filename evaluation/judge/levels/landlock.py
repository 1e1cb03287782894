"""Isolation level 3: Landlock, a strict filter of system calls, and limits; no fork, no socket.

For machines that allow no user namespaces. A program sees which files there are, but can read only
the interpreter and its libraries, write only in a folder of its own, and reach no other process.
"""

import sys
from pathlib import Path

from evaluation.judge import sandbox_packages
from evaluation.judge.environment import environment, plan_for
from evaluation.judge.inside.plan import LANDLOCK
from evaluation.judge.levels.rootfs import link_modules, supervisor_words
from evaluation.judge.verdict import Limits

LEVEL = "landlock"
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo")


def command(slot: int, limits: Limits, folder: str) -> list[str]:
    """Returns the command line of one slot's processes, see :class:`Isolation`."""
    shown = link_modules(Path(folder))
    prefix = Path(sys.base_prefix).resolve()
    readable = [*_LIBRARIES, *(str(prefix / name) for name in ("lib", "lib64"))]
    readable += [str(package.resolve()) for package in sandbox_packages.folders()] + [shown]
    found = tuple(path for path in readable if Path(path).exists())
    told = plan_for(slot, limits, isolation=LANDLOCK, folder=folder, readable=found)
    values = environment(told)
    words = ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in values.items())]
    return [*words, *supervisor_words(folder)]
