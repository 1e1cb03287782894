"""No isolation at all: the same processes and limits, without namespaces and filters.

Only for who asks for it by name and trusts the programs; every result says so. A program can do
whatever the user can.
"""

from pathlib import Path

from evaluation.judge.environment import environment, plan_for
from evaluation.judge.inside.plan import NOTHING
from evaluation.judge.levels.rootfs import link_modules, supervisor_words
from evaluation.judge.verdict import Limits

LEVEL = "none (unsafe)"


def command(slot: int, limits: Limits, folder: str) -> list[str]:
    """Returns the command line of one slot's processes, see :class:`Isolation`."""
    link_modules(Path(folder))
    told = plan_for(slot, limits, isolation=NOTHING, folder=folder)
    values = environment(told)
    words = ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in values.items())]
    return [*words, *supervisor_words(folder)]
