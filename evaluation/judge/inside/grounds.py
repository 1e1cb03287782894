"""The ground that each program's process is put on: namespaces, Landlock, or nothing.

The zygote lays it before a fork and leaves it afterwards; what the child itself must do it is
handed as prepared calls (see ``kernel``).
"""

import os
import resource
from typing import Protocol

from evaluation.judge.inside import kernel, landlock
from evaluation.judge.inside.plan import DEVICES, LANDLOCK, NAMESPACES, Plan
from evaluation.judge.inside.seccomp import (
    build_filter,
    build_last_filter,
    build_strict_filter,
)

FIRST_FREE = 4  # below are null, the output twice and the channel
MAX_DESCRIPTOR = 256
_TMP = "/tmp"  # noqa: S108 - a child's own
_CLOSE: kernel.PreparedCall = (os.closerange, (1, FIRST_FREE))


class Ground(Protocol):
    """What the zygote does around each fork."""

    def lay(self) -> list[kernel.PreparedCall]:
        """Prepares it; returns what the child does to itself before it sees a program."""

    def leave(self) -> None:
        """Makes the zygote what it was before."""


def ground(plan: Plan, homes: list[int]) -> Ground:
    """Returns the plan's ground, having confined the zygote as far as it can bear.

    Args:
        plan: The sandbox's.
        homes: Descriptors of the zygote's own pid and mount namespaces.
    """
    if plan.isolation == NAMESPACES:
        return _Namespaces(plan, homes)
    return _Landlocked(plan) if plan.isolation == LANDLOCK else _Nothing(plan)


def _common(plan: Plan) -> list[kernel.PreparedCall]:
    cpu_s = int(plan.cpu_s) + 2  # the supervisor's clock comes first
    return [
        (os.setsid, ()),  # else kill(0) reaches the process group across pid namespaces
        (os.closerange, (FIRST_FREE, MAX_DESCRIPTOR)),
        (resource.setrlimit, (resource.RLIMIT_CPU, (cpu_s, cpu_s))),
    ]


def _processes(plan: Plan) -> kernel.PreparedCall:
    return resource.setrlimit, (resource.RLIMIT_NPROC, (plan.processes, plan.processes))


class _Namespaces:
    """New pid and mount namespaces, a disk in memory, no capability, filtered system calls."""

    def __init__(self, plan: Plan, homes: list[int]) -> None:
        options = f"size={plan.disk_bytes},nr_inodes=2048,mode=700"
        flags = kernel.MS_NOSUID | kernel.MS_NODEV
        self._before = [
            kernel.unshare_call(kernel.NEW_PID | kernel.NEW_NS),
            kernel.tmpfs_call(_TMP, flags, options),
            (os.chdir, (_TMP,)),
        ]
        pids, mounts = homes
        self._after = [
            _CLOSE,
            kernel.namespace_call(pids, kernel.NEW_PID),
            kernel.namespace_call(mounts, kernel.NEW_NS),
        ]
        self._child = [*_common(plan), _processes(plan), kernel.capabilities_call()]
        self._child.append(kernel.filter_call(build_last_filter()))
        kernel.refuse_new_privileges()
        kernel.do([kernel.filter_call(build_filter())])

    def lay(self) -> list[kernel.PreparedCall]:
        kernel.do(self._before)
        return self._child

    def leave(self) -> None:
        kernel.do(self._after)


class _Landlocked:
    """A folder of its own, no other process within reach, no fork, no socket.

    Numbered folders: the supervisor counts along, and clears them. A limit on processes would count
    the user's own, outside.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._n_forks = 0
        self._rules = -1
        self._devices = [f"/dev/{name}" for name in DEVICES]
        self._common = [*_common(plan), kernel.capabilities_call(), (_install_strict_filter, ())]
        kernel.refuse_new_privileges()
        kernel.do([kernel.filter_call(build_filter())])

    def lay(self) -> list[kernel.PreparedCall]:
        self._n_forks += 1
        own = f"{self._plan.folder}/{self._n_forks}"
        os.mkdir(own, 0o700)  # noqa: PTH102 - lean
        os.chdir(own)
        for name in ("TMPDIR", "HOME"):
            os.environ[name] = own
        self._rules = landlock.make_rules(self._plan.readable, self._devices, own)
        return [(landlock.restrict_self, (self._rules,)), *self._common]

    def leave(self) -> None:
        os.close(self._rules)
        kernel.do([_CLOSE])


def _install_strict_filter() -> None:
    kernel.do([kernel.filter_call(build_strict_filter(os.getpid()))])


class _Nothing:
    """No confinement at all, only limits."""

    def __init__(self, plan: Plan) -> None:
        self._child = [*_common(plan), _processes(plan)]
        os.chdir(_TMP)

    def lay(self) -> list[kernel.PreparedCall]:
        return self._child

    def leave(self) -> None:
        kernel.do([_CLOSE])
