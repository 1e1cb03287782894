"""The ground that each program's process is put on: namespaces, Landlock, or nothing.

The zygote lays it before a fork and leaves it afterwards; what the child itself must do it is
handed as prepared calls (see ``syscalls``).
"""

import os
import resource
from typing import Protocol

from evaluation.judge.inside.confinement import landlock_rules, syscalls
from evaluation.judge.inside.confinement.seccomp import (
    build_filter,
    build_last_filter,
    build_strict_filter,
)
from evaluation.judge.inside.plan import DEVICES, LANDLOCK, NAMESPACES, Plan

FIRST_FREE = 4  # below are null, the output twice and the channel
MAX_DESCRIPTOR = 256
_TMP = "/tmp"  # noqa: S108 - a child's own
_CLOSE: syscalls.PreparedCall = (os.closerange, (1, FIRST_FREE))


class Ground(Protocol):
    """What the zygote does around each fork."""

    def lay(self) -> list[syscalls.PreparedCall]:
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


def _common(plan: Plan) -> list[syscalls.PreparedCall]:
    cpu_s = int(plan.cpu_s) + 2  # the supervisor's clock comes first
    return [
        (os.setsid, ()),  # else kill(0) reaches the process group across pid namespaces
        (os.closerange, (FIRST_FREE, MAX_DESCRIPTOR)),
        (resource.setrlimit, (resource.RLIMIT_CPU, (cpu_s, cpu_s))),
    ]


def _processes(plan: Plan) -> syscalls.PreparedCall:
    return resource.setrlimit, (resource.RLIMIT_NPROC, (plan.processes, plan.processes))


class _Namespaces:
    """New pid and mount namespaces, a disk in memory, no capability, filtered system calls."""

    def __init__(self, plan: Plan, homes: list[int]) -> None:
        options = f"size={plan.disk_bytes},nr_inodes=2048,mode=700"
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
        self._before = [
            syscalls.unshare_call(syscalls.NEW_PID | syscalls.NEW_NS),
            syscalls.tmpfs_call(_TMP, flags, options),
            (os.chdir, (_TMP,)),
        ]
        pids, mounts = homes
        self._after = [
            _CLOSE,
            syscalls.namespace_call(pids, syscalls.NEW_PID),
            syscalls.namespace_call(mounts, syscalls.NEW_NS),
        ]
        self._child = [*_common(plan), _processes(plan), syscalls.capabilities_call()]
        self._child.append(syscalls.filter_call(build_last_filter()))
        syscalls.refuse_new_privileges()
        syscalls.do([syscalls.filter_call(build_filter())])

    def lay(self) -> list[syscalls.PreparedCall]:
        syscalls.do(self._before)
        return self._child

    def leave(self) -> None:
        syscalls.do(self._after)


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
        self._common = [*_common(plan), syscalls.capabilities_call(), (_install_strict_filter, ())]
        syscalls.refuse_new_privileges()
        syscalls.do([syscalls.filter_call(build_filter())])

    def lay(self) -> list[syscalls.PreparedCall]:
        self._n_forks += 1
        own = f"{self._plan.folder}/{self._n_forks}"
        os.mkdir(own, 0o700)  # noqa: PTH102 - lean
        os.chdir(own)
        for name in ("TMPDIR", "HOME"):
            os.environ[name] = own
        self._rules = landlock_rules.make_rules(self._plan.readable, self._devices, own)
        return [(landlock_rules.restrict_self, (self._rules,)), *self._common]

    def leave(self) -> None:
        os.close(self._rules)
        syscalls.do([_CLOSE])


def _install_strict_filter() -> None:
    syscalls.do([syscalls.filter_call(build_strict_filter(os.getpid()))])


class _Nothing:
    """No confinement at all, only limits."""

    def __init__(self, plan: Plan) -> None:
        self._child = [*_common(plan), _processes(plan)]
        os.chdir(_TMP)

    def lay(self) -> list[syscalls.PreparedCall]:
        return self._child

    def leave(self) -> None:
        syscalls.do([_CLOSE])
