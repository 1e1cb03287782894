"""No isolation at all: the same processes and limits, without namespaces and filters.

Only for who asks for it by name and trusts the programs; every result says so. A program can do
whatever the user can.
"""

import sys
from pathlib import Path

from evaluation.judge.surroundings import environment
from evaluation.judge.verdict import Limits

LEVEL = "none (unsafe)"
_ROOT = Path(__file__).parents[2]


def command(slot: int, limits: Limits) -> list[str]:
    """Returns the command line of one slot's supervisor; its stdin must be the host's socket."""
    values = environment(slot, limits, python_path=str(_ROOT), is_isolated=False)
    words = ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in values.items())]
    return [*words, sys.executable, "-B", "-s", "-m", "evaluation.judge.inside"]
