"""What confines each program's process: namespaces, Landlock, or nothing.

The zygote enters it before a fork and leaves it afterwards. What the child must do to itself it is
handed as prepared calls (see ``syscalls``).
"""

import contextlib
import os
import resource
import time
from typing import Protocol

from evaluation.judge.inside.confinement import landlock_rules, syscalls
from evaluation.judge.inside.confinement.seccomp import (
    build_child_filter,
    build_strict_child_filter,
    build_zygote_filter,
)
from evaluation.judge.inside.plan import LANDLOCK, NAMESPACES, Plan

FIRST_FREE = 4  # below are null, twice the output, and the channel
MAX_DESCRIPTOR = 256
_TMP = "/tmp"  # noqa: S108 - a child's own
_COUNT_INTERVAL_S = 1.0
_CLOSE: syscalls.PreparedCall = (os.closerange, (1, FIRST_FREE))


class Confinement(Protocol):
    """What the zygote does around each fork."""

    def enter(self) -> list[syscalls.PreparedCall]:
        """Prepares a fork; returns what the child does to itself before it sees a program."""

    def leave(self) -> None:
        """Restores the zygote to its state before."""


def create_confinement(plan: Plan, namespaces: list[int]) -> Confinement:
    """Returns the plan's confinement, after confining the zygote as far as it can bear.

    Args:
        plan: The sandbox's.
        namespaces: Descriptors of the zygote's own pid and mount namespaces.
    """
    if plan.isolation == NAMESPACES:
        return _Namespaces(plan, namespaces)
    return _Landlock(plan) if plan.isolation == LANDLOCK else _Nothing(plan)


def _prepare_common_calls(plan: Plan) -> list[syscalls.PreparedCall]:
    cpu_s = int(plan.cpu_s) + 2  # a backstop: the supervisor's clock stops a program earlier
    return [
        (os.setsid, ()),  # otherwise kill(0) reaches the process group across pid namespaces
        (os.closerange, (FIRST_FREE, MAX_DESCRIPTOR)),
        (resource.setrlimit, (resource.RLIMIT_CPU, (cpu_s, cpu_s))),
    ]


def _prepare_process_limit(n_processes: int) -> syscalls.PreparedCall:
    return resource.setrlimit, (resource.RLIMIT_NPROC, (n_processes, n_processes))


def _prepare_zygote_filter(plan: Plan) -> syscalls.PreparedCall:
    return syscalls.prepare_filter(build_zygote_filter(allows_shared_memory=plan.is_memory_bounded))


def _prepare_bind(source: str, target: str) -> list[syscalls.PreparedCall]:
    create = _create_folder if os.path.isdir(source) else _create_file  # noqa: PTH112 - lean
    flags = syscalls.MS_BIND | syscalls.MS_REC
    return [(create, (target,)), (syscalls.mount, (source, target, None, flags))]


def _create_folder(path: str) -> None:
    os.makedirs(path, exist_ok=True)  # noqa: PTH103 - lean


def _create_file(path: str) -> None:
    _create_folder(os.path.dirname(path))  # noqa: PTH120 - lean
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


class _Namespaces:
    """New pid and mount namespaces, a disk in memory, no capabilities, filtered system calls."""

    def __init__(self, plan: Plan, namespaces: list[int]) -> None:
        options = f"size={plan.disk_bytes},nr_inodes=2048,mode=700"
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
        self._before = [
            syscalls.prepare_unshare(syscalls.NEW_PID | syscalls.NEW_NS),
            syscalls.prepare_tmpfs(_TMP, flags, options),
            (os.chdir, (_TMP,)),
            *(call for source, target in plan.covered for call in _prepare_bind(source, target)),
        ]
        pid_namespace, mount_namespace = namespaces
        self._after = [
            _CLOSE,
            syscalls.prepare_setns(pid_namespace, syscalls.NEW_PID),
            syscalls.prepare_setns(mount_namespace, syscalls.NEW_NS),
        ]
        self._child = [*_prepare_common_calls(plan), _prepare_process_limit(plan.processes)]
        self._child.append(syscalls.prepare_capability_drop())
        self._child.append(syscalls.prepare_filter(build_child_filter()))
        syscalls.refuse_new_privileges()
        syscalls.make_calls([_prepare_zygote_filter(plan)])

    def enter(self) -> list[syscalls.PreparedCall]:
        syscalls.make_calls(self._before)
        return self._child

    def leave(self) -> None:
        syscalls.make_calls(self._after)


class _Landlock:
    """A folder of its own, no other process within reach, no fork, no socket.

    The folders are numbered; the supervisor counts along, and removes them. There is no limit on
    processes, since it would count those of the user outside: the supervisor counts threads. There
    is no pid namespace either, so the kernel kills the child when the zygote dies.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._n_forks = 0
        self._rules = -1
        self._devices = [f"/dev/{name}" for name in plan.devices]
        self._child = [*_prepare_common_calls(plan), syscalls.prepare_capability_drop()]
        self._child.append(syscalls.prepare_death_with_parent())
        self._child.append((_install_strict_filter, ()))
        self._child.append(syscalls.prepare_show_to_parent())
        syscalls.refuse_new_privileges()
        landlock_rules.restrict_reading(plan.readable, plan.hidden, self._devices, plan.folder)
        syscalls.make_calls([_prepare_zygote_filter(plan)])

    def enter(self) -> list[syscalls.PreparedCall]:
        self._n_forks += 1
        own = f"{self._plan.folder}/{self._n_forks}"
        os.mkdir(own, 0o700)  # noqa: PTH102 - lean
        os.chdir(own)
        for name in ("TMPDIR", "HOME"):
            os.environ[name] = own
        self._rules = landlock_rules.create_ruleset(self._plan.readable, self._devices, own)
        return [(landlock_rules.restrict_self, (self._rules,)), *self._child]

    def leave(self) -> None:
        os.close(self._rules)
        syscalls.make_calls([_CLOSE])


def _install_strict_filter() -> None:
    program = build_strict_child_filter(os.getpid())
    syscalls.make_calls([syscalls.prepare_filter(program)])


class _Nothing:
    """No confinement at all, only limits.

    The kernel counts all of a user's processes, so those that there are come on top of the limit.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._child = [*_prepare_common_calls(plan), syscalls.prepare_death_with_parent()]
        self._n_others = 0
        self._counted_s = -_COUNT_INTERVAL_S
        os.chdir(_TMP)

    def enter(self) -> list[syscalls.PreparedCall]:
        if time.monotonic() - self._counted_s >= _COUNT_INTERVAL_S:
            self._n_others, self._counted_s = _count_threads_of_user(), time.monotonic()
        limit = self._plan.processes + self._n_others
        most = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
        return [*self._child, _prepare_process_limit(limit)]

    def leave(self) -> None:
        syscalls.make_calls([_CLOSE])


def _count_threads_of_user() -> int:
    """Returns how many threads all processes of this user have."""
    n_threads = 0
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - lean
        with contextlib.suppress(OSError), open(f"/proc/{name}/status", "rb") as file:  # noqa: PTH123
            status = dict(line.split(b":", 1) for line in file)
            if int(status[b"Uid"].split()[0]) == os.getuid():
                n_threads += int(status[b"Threads"])
    return n_threads
