"""Starts a sandbox's processes, with the host's socket as stdin and its plan in the environment.

``main`` is called by the command of ``evaluation.judge.levels.rootfs``. It enters namespaces; their
first process forks the zygote while it is still small, and then becomes the supervisor.
"""

import contextlib
import os
import resource
import signal
import sys
from typing import NoReturn

from evaluation.judge.inside.confinement import syscalls
from evaluation.judge.inside.plan import NAMESPACES, NOTHING, Plan
from evaluation.judge.inside.processes.zygote import Zygote

_NOBODY = 65534
_MAX_OPEN_FILES = 64
_MAX_SIGNALS = 64


def main() -> None:
    """Returns when the sandbox has ended."""
    plan = Plan.take_from_environment()
    host = os.dup(0)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.sched_setaffinity(0, {plan.processor})
    if plan.isolation == NAMESPACES:
        _enter_namespaces(plan.devices)
    else:
        syscalls.adopt_orphans()
    pid = os.fork()
    if pid == 0:
        try:
            syscalls.die_with_parent()
            _supervise(host, plan)
        except BaseException:  # noqa: BLE001 - the host reads it from the log
            sys.excepthook(*sys.exc_info())  # keeps module traceback out of every child's memory
        os._exit(1)
    os.close(host)
    while os.waitpid(-1, 0)[0] != pid:  # orphans may end before
        pass
    if plan.isolation != NAMESPACES:  # otherwise all processes and files are gone by now
        _clean_up(plan.folder)


def _clean_up(folder: str) -> None:
    """Ends what the supervisor has left behind, and removes the programs' files."""
    from evaluation.judge.inside.processes.workdirs import (  # noqa: PLC0415 - as above
        remove_folder,
    )

    with contextlib.suppress(ChildProcessError):  # there is none left
        while True:
            for child in _list_children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)
    remove_folder(folder)


def _list_children() -> list[int]:
    """Returns this process's children; those of a child that has ended are among them."""
    children = []
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - lean
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
            if int(file.read().rpartition(b")")[2].split()[1]) == os.getpid():
                children.append(int(name))
    return children


def _supervise(host: int, plan: Plan) -> NoReturn:
    _set_common_limits(plan)
    if plan.isolation != NOTHING:
        syscalls.bound_capabilities()
    zygote = Zygote(plan)
    syscalls.hide_from_peers()
    from evaluation.judge.inside.processes.program_supervisor import (  # noqa: PLC0415 - keeps it out of the zygote
        Supervisor,
    )

    Supervisor(host, plan, zygote).serve()


def _enter_namespaces(devices: tuple[str, ...]) -> None:
    uid, gid = os.getuid(), os.getgid()
    flags = syscalls.NEW_USER | syscalls.NEW_NS | syscalls.NEW_PID | syscalls.NEW_IPC
    syscalls.unshare(flags)
    syscalls.map_user(_NOBODY, uid, _NOBODY, gid)
    for name in devices:  # programs can still write to them, but not change their times
        syscalls.remount(f"/dev/{name}", syscalls.MS_RDONLY)


def _set_common_limits(plan: Plan) -> None:
    """Sets the limits that all processes here can bear, once for all programs."""
    for resource_number, limit in (
        (resource.RLIMIT_FSIZE, plan.disk_bytes),
        (resource.RLIMIT_NOFILE, _MAX_OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_NICE, 0),
        (resource.RLIMIT_RTPRIO, 0),
        (resource.RLIMIT_SIGPENDING, _MAX_SIGNALS),  # those of a user are counted together
    ):
        resource.setrlimit(resource_number, (limit, limit))
