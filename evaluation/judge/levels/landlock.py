"""Isolation level 3: Landlock, a strict system call filter and limits; no fork, no socket.

For machines that allow no user namespaces. A program can see which files exist, but can read only
the interpreter and its libraries, write only to a folder of its own, and reach no other process.
"""

import sys
from pathlib import Path

from evaluation.judge import sandbox_packages
from evaluation.judge.environment import build_env_command, make_plan
from evaluation.judge.inside.plan import LANDLOCK
from evaluation.judge.levels.rootfs import build_supervisor_command, link_modules
from evaluation.judge.verdict import Limits

NAME = "landlock"
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo")


def build_command(number: int, limits: Limits, folder: str) -> list[str]:
    """Returns the command line of a sandbox; see :class:`IsolationLevel`."""
    packages = link_modules(Path(folder))
    prefix = Path(sys.base_prefix).resolve()
    readable = [*_LIBRARIES, *(str(prefix / name) for name in ("lib", "lib64"))]
    readable += [str(package.resolve()) for package in sandbox_packages.list_folders()]
    readable.append(packages)
    existing = tuple(path for path in readable if Path(path).exists())
    plan = make_plan(number, limits, isolation=LANDLOCK, folder=folder, readable=existing)
    return [*build_env_command(plan), *build_supervisor_command(folder)]
