"""No isolation at all: the same processes and limits, without namespaces and filters.

Only for users who ask for it by name and trust the programs; every result says so. A program can do
whatever the user can.
"""

from pathlib import Path

from evaluation.judge.environment import build_env_command, make_plan
from evaluation.judge.inside.plan import NOTHING
from evaluation.judge.levels.rootfs import build_supervisor_command, link_packages
from evaluation.judge.verdict import Limits

NAME = "none (unsafe)"


def build_command(number: int, limits: Limits, folder: str) -> list[str]:
    """Returns the command line of a sandbox; see :class:`IsolationLevel`."""
    link_packages(Path(folder))
    plan = make_plan(number, limits, isolation=NOTHING, folder=folder)
    return [*build_env_command(plan), *build_supervisor_command(folder)]
