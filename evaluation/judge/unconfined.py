"""No isolation at all: the same processes and limits, without namespaces and filters.

Only for who asks for it by name and trusts the programs; every result says so. A program can do
whatever the user can.
"""

import sys
from pathlib import Path

from evaluation.judge.inside.plan import NOTHING
from evaluation.judge.surroundings import environment, plan_for
from evaluation.judge.verdict import Limits

LEVEL = "none (unsafe)"
_ROOT = Path(__file__).parents[2]


def command(slot: int, limits: Limits, folder: str) -> list[str]:
    """Returns the command line of one slot's processes, see :class:`Isolation`."""
    told = plan_for(slot, limits, isolation=NOTHING, folder=folder)
    values = environment(told, python_path=str(_ROOT))
    words = ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in values.items())]
    return [*words, sys.executable, "-B", "-s", "-m", "evaluation.judge.inside"]
