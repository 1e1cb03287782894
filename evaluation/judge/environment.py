"""The environment variables of a sandbox: none of the host's, all of them fixed."""

import os
from dataclasses import asdict

from evaluation.judge.cgroups import find_hierarchy
from evaluation.judge.inside.plan import VARIABLE, Plan
from evaluation.judge.verdict import Limits

_DEVICES = ("null", "urandom", "random", "full")
_MEMORY_DEVICE = "zero"  # a mapping of it is memory that no process shows as its own


def make_plan(
    number: int,
    limits: Limits,
    *,
    isolation: str,
    folder: str = "",
    readable: tuple[str, ...] = (),
    hidden: tuple[str, ...] = (),
    covered: tuple[tuple[str, str], ...] = (),
) -> Plan:
    """Returns the plan of a sandbox's processes.

    Args:
        number: The sandbox's; each stays on one processor, so that forks find its cache warm.
        limits: What a program may use.
        isolation: What confines it, one of the constants beside :class:`Plan`.
        folder: For Landlock, where programs may write.
        readable: For Landlock, what they may read.
        hidden: For Landlock, folders in what is readable that they may not read.
        covered: For namespaces, see ``rootfs.RootFS``.
    """
    is_memory_bounded = find_hierarchy() is not None
    return Plan(
        **asdict(limits),
        devices=(*_DEVICES, *([_MEMORY_DEVICE] if is_memory_bounded else [])),
        is_memory_bounded=is_memory_bounded,
        processor=_choose_processor(number),
        isolation=isolation,
        folder=folder,
        readable=readable,
        hidden=hidden,
        covered=covered,
    )


def make_environment(plan: Plan) -> dict[str, str]:
    """Returns the whole environment, the plan included."""
    return {
        "HOME": "/tmp",  # noqa: S108 - a program's own
        "TMPDIR": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PATH": "/usr/bin:/bin",
        "LD_BIND_NOW": "1",  # otherwise every program's process resolves symbols again
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        VARIABLE: plan.to_json(),
    }


def build_env_command(plan: Plan) -> list[str]:
    """Returns what to put before a command, so that it starts with this environment alone."""
    variables = make_environment(plan).items()
    return ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in variables)]


def _choose_processor(number: int) -> int:
    allowed = sorted(os.sched_getaffinity(0))  # Linux only, as is all isolation here
    return allowed[number % len(allowed)]
