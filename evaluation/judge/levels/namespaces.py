"""Isolation level 2: the namespaces that bubblewrap makes, made without it.

For machines that allow user namespaces but have no bubblewrap. ``launcher`` does it in a process of
its own, which becomes the supervisor.
"""

import json
import os
from dataclasses import asdict

from evaluation.judge.environment import environment, plan_for
from evaluation.judge.inside.plan import DEVICES, NAMESPACES
from evaluation.judge.levels.rootfs import (
    FIRST_UID,
    HOSTNAME,
    ROOT,
    launcher_words,
    layout,
    supervisor_words,
)
from evaluation.judge.verdict import Limits

LEVEL = "namespaces"


def command(slot: int, limits: Limits, folder: str) -> list[str]:  # noqa: ARG001 - a level's
    """Returns the command line of one slot's processes, see :class:`Isolation`."""
    told = plan_for(slot, limits, isolation=NAMESPACES)
    plan = {
        **asdict(layout()),
        "devices": DEVICES,
        "hostname": HOSTNAME,
        "user": FIRST_UID + slot if os.getuid() == 0 else None,
        "words": supervisor_words(ROOT),
        "environment": environment(told),
    }
    return ["/usr/bin/env", "-i", *launcher_words(json.dumps(plan))]
