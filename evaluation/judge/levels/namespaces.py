"""Isolation level 2: the namespaces that bubblewrap creates, created without it.

For machines that allow user namespaces but lack bubblewrap. ``launcher`` creates them in a process
of its own, which then becomes the supervisor.
"""

import os

from evaluation.judge.environment import make_environment, make_plan
from evaluation.judge.inside.plan import NAMESPACES
from evaluation.judge.levels.launcher import LaunchPlan
from evaluation.judge.levels.rootfs import (
    FIRST_UID,
    HOSTNAME,
    ROOT,
    build_launcher_command,
    build_supervisor_command,
    describe_rootfs,
)
from evaluation.judge.verdict import Limits

NAME = "namespaces"


def build_command(number: int, limits: Limits, folder: str) -> list[str]:  # noqa: ARG001 - a level's
    """Returns the command line of a sandbox; see :class:`IsolationLevel`."""
    rootfs = describe_rootfs()
    inside = make_plan(number, limits, isolation=NAMESPACES, covered=rootfs.covered)
    plan = LaunchPlan(
        folders=rootfs.folders,
        binds=rootfs.binds,
        hidden=rootfs.hidden,
        links=rootfs.links,
        devices=inside.devices,
        hostname=HOSTNAME,
        user=FIRST_UID + number if os.getuid() == 0 else None,
        command=build_supervisor_command(ROOT),
        environment=make_environment(inside),
    )
    return ["/usr/bin/env", "-i", *build_launcher_command(plan.to_json())]
