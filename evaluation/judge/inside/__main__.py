"""Starts a sandbox's processes: ``python -m evaluation.judge.inside``.

Started by ``evaluation.judge.host`` with the host's socket as stdin and the limits in
``JUDGE_LIMITS``. It enters namespaces, whose first process forks the zygote, while it is small,
and then becomes the supervisor.
"""

import json
import os
import resource
import sys
from typing import Any, NoReturn

from evaluation.judge.inside import kernel
from evaluation.judge.inside.zygote import Zygote

_NOBODY = 65534
_MAX_OPEN_FILES = 64


def main() -> None:
    """Returns when the sandbox has ended."""
    limits = json.loads(os.environ.pop("JUDGE_LIMITS"))
    host = os.dup(0)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.sched_setaffinity(0, {limits["cpu"]})
    if limits["is_isolated"]:
        _enter_namespaces()
    pid = os.fork()
    if pid == 0:
        try:
            kernel.die_with_parent()
            _supervise(host, limits)
        except BaseException:  # noqa: BLE001 - the host reads it from the log
            sys.excepthook(*sys.exc_info())  # no traceback module in every child's memory
        os._exit(1)
    os.close(host)
    os.waitpid(pid, 0)


def _supervise(host: int, limits: dict[str, Any]) -> NoReturn:
    _limit_all(limits)
    if limits["is_isolated"]:
        kernel.bound_capabilities()
        kernel.hide_from_peers()
    zygote = Zygote(limits)
    from evaluation.judge.inside.supervisor import Supervisor  # noqa: PLC0415 - not in the zygote

    Supervisor(host, limits, zygote).serve()


def _enter_namespaces() -> None:
    uid, gid = os.getuid(), os.getgid()
    kernel.unshare(kernel.NEW_USER | kernel.NEW_NS | kernel.NEW_PID | kernel.NEW_IPC)
    kernel.map_user(_NOBODY, uid, _NOBODY, gid)


def _limit_all(limits: dict[str, Any]) -> None:
    """Sets the limits that all processes here can bear, once for all programs."""
    for what, most in (
        (resource.RLIMIT_FSIZE, limits["disk_bytes"]),
        (resource.RLIMIT_NOFILE, _MAX_OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main()
