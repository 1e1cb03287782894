"""The environment variables of a supervisor: nothing of the host's, everything fixed."""

import json
import os
from dataclasses import asdict

from evaluation.judge.verdict import Limits


def environment(
    slot: int, limits: Limits, *, python_path: str, is_isolated: bool
) -> dict[str, str]:
    """Returns the whole environment.

    Args:
        slot: Its number; each stays on one processor, where what it forks is still in the cache.
        limits: What a program may use.
        python_path: The folders of the package ``evaluation`` and of others.
        is_isolated: Whether the supervisor is to make namespaces.
    """
    return {
        "HOME": "/tmp",  # noqa: S108 - a program's own
        "TMPDIR": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": python_path,
        "LD_BIND_NOW": "1",  # else every program's process looks symbols up anew
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "JUDGE_LIMITS": json.dumps(
            {**asdict(limits), "is_isolated": is_isolated, "cpu": _processor(slot)}
        ),
    }


def _processor(slot: int) -> int:
    allowed = sorted(os.sched_getaffinity(0))  # Linux, as all isolation here
    return allowed[slot % len(allowed)]
