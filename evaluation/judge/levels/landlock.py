"""Isolation level 3: Landlock, a strict system call filter and limits; no fork, no socket.

For machines that allow no user namespaces. A program can see which files exist, but can read only
the interpreter and its libraries, write only to a folder of its own, and reach no other process.
"""

from pathlib import Path

from evaluation.judge import sandbox_packages
from evaluation.judge.environment import build_env_command, make_plan
from evaluation.judge.inside.plan import LANDLOCK
from evaluation.judge.levels.rootfs import build_supervisor_command, link_packages
from evaluation.judge.levels.visible_files import list_hidden, list_visible
from evaluation.judge.verdict import Limits

NAME = "landlock"


def build_command(number: int, limits: Limits, folder: str) -> list[str]:
    """Returns the command line of a sandbox; see :class:`IsolationLevel`."""
    packages = link_packages(Path(folder))
    visible = list_visible()
    installed = [package.resolve() for package in sandbox_packages.list_folders()]
    plan = make_plan(
        number,
        limits,
        isolation=LANDLOCK,
        folder=folder,
        readable=(*map(str, visible), *map(str, installed), packages),
        hidden=tuple(map(str, list_hidden(visible))),
    )
    return [*build_env_command(plan), *build_supervisor_command(folder)]
