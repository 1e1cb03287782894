"""Isolation level 2: the namespaces that bubblewrap makes, made without it.

For machines that allow user namespaces but have no bubblewrap. ``evaluation.judge.launcher`` does
it in a process of its own, which becomes the supervisor.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from evaluation.judge.layout import (
    DEVICES,
    FIRST_UID,
    HOSTNAME,
    PYTHON_PATH,
    layout,
    supervisor_words,
)
from evaluation.judge.surroundings import environment
from evaluation.judge.verdict import Limits

LEVEL = "namespaces"
_PROJECT = Path(__file__).parents[2]


def command(slot: int, limits: Limits) -> list[str]:
    """Returns the command line of one slot's supervisor; its stdin must be the host's socket."""
    plan = {
        **asdict(layout()),
        "devices": DEVICES,
        "hostname": HOSTNAME,
        "user": FIRST_UID + slot if os.getuid() == 0 else None,
        "words": supervisor_words(),
        "environment": environment(slot, limits, python_path=PYTHON_PATH, is_isolated=True),
    }
    words = ["/usr/bin/env", "-i", f"PYTHONPATH={_PROJECT}", os.path.realpath(sys.executable)]
    return [*words, "-B", "-s", "-S", "-m", "evaluation.judge.launcher", json.dumps(plan)]
