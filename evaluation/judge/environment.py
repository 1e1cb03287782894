"""The environment variables of a sandbox: nothing of the host's, everything fixed."""

import os
from dataclasses import asdict

from evaluation.judge.inside.plan import VARIABLE, Plan
from evaluation.judge.verdict import Limits


def plan_for(
    slot: int,
    limits: Limits,
    *,
    isolation: str,
    folder: str = "",
    readable: tuple[str, ...] = (),
) -> Plan:
    """Returns what a slot's processes are told.

    Args:
        slot: Its number; each stays on one processor, where what it forks is still in the cache.
        limits: What a program may use.
        isolation: What confines it, one of the constants beside :class:`Plan`.
        folder: For Landlock, where programs may write.
        readable: For Landlock, what they may read.
    """
    return Plan(
        **asdict(limits),
        processor=_processor(slot),
        isolation=isolation,
        folder=folder,
        readable=readable,
    )


def environment(told: Plan) -> dict[str, str]:
    """Returns the whole environment, given the plan."""
    return {
        "HOME": "/tmp",  # noqa: S108 - a program's own
        "TMPDIR": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PATH": "/usr/bin:/bin",
        "LD_BIND_NOW": "1",  # else every program's process looks symbols up anew
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        VARIABLE: told.written(),
    }


def _processor(slot: int) -> int:
    allowed = sorted(os.sched_getaffinity(0))  # Linux, as all isolation here
    return allowed[slot % len(allowed)]
