"""Isolation level 2: the namespaces that bubblewrap makes, made without it.

For machines that allow user namespaces but have no bubblewrap. ``evaluation.judge.launcher`` does
it in a process of its own, which becomes the supervisor.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from evaluation.judge.inside.plan import DEVICES, NAMESPACES
from evaluation.judge.layout import (
    FIRST_UID,
    HOSTNAME,
    PYTHON_PATH,
    layout,
    supervisor_words,
)
from evaluation.judge.surroundings import environment, plan_for
from evaluation.judge.verdict import Limits

LEVEL = "namespaces"
_PROJECT = Path(__file__).parents[2]


def command(slot: int, limits: Limits, folder: str) -> list[str]:  # noqa: ARG001 - a level's
    """Returns the command line of one slot's processes, see :class:`Isolation`."""
    told = plan_for(slot, limits, isolation=NAMESPACES)
    plan = {
        **asdict(layout()),
        "devices": DEVICES,
        "hostname": HOSTNAME,
        "user": FIRST_UID + slot if os.getuid() == 0 else None,
        "words": supervisor_words(),
        "environment": environment(told, python_path=PYTHON_PATH),
    }
    words = ["/usr/bin/env", "-i", f"PYTHONPATH={_PROJECT}", os.path.realpath(sys.executable)]
    return [*words, "-B", "-s", "-S", "-m", "evaluation.judge.launcher", json.dumps(plan)]
