"""Makes a sandbox's namespaces and file system, then becomes its supervisor.

Started by ``evaluation.judge.namespaces`` as a process of its own, with the plan as its argument.
Standard library only. The order is that of bubblewrap: new namespaces, a root of its own that holds
nothing but the plan, the old root gone, no capability left.
"""

import json
import os
import sys
from typing import Any, NoReturn

from evaluation.judge.inside import kernel

_BASE = "/tmp"  # noqa: S108 - where the new root is put together, unseen by anyone else
_FLAGS = {  # of a mount, by statvfs' name for them
    os.ST_RDONLY: kernel.MS_RDONLY,
    os.ST_NOSUID: kernel.MS_NOSUID,
    os.ST_NODEV: kernel.MS_NODEV,
    os.ST_NOEXEC: kernel.MS_NOEXEC,
    os.ST_NOATIME: kernel.MS_NOATIME,
    os.ST_NODIRATIME: kernel.MS_NODIRATIME,
    os.ST_RELATIME: kernel.MS_RELATIME,
}


def main() -> NoReturn:
    """Never returns: a child becomes the supervisor, this process waits for it."""
    plan = json.loads(sys.argv[1])
    kernel.die_with_parent()
    _enter_namespaces()
    pid = os.fork()
    if pid:
        os.close(0)  # the host's socket is the supervisor's alone
        _, status = os.waitpid(pid, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    kernel.die_with_parent()
    os.setsid()
    _make_root(plan)
    kernel.set_hostname(plan["hostname"])
    if plan["user"] is not None:
        os.setgroups([])
        os.setresgid(*[plan["user"]] * 3)
        os.setresuid(*[plan["user"]] * 3)
        kernel.die_with_parent()  # a change of user has cleared it
    os.execve(plan["words"][0], plan["words"], plan["environment"])  # noqa: S606 - our own words


def _enter_namespaces() -> None:
    uid, gid = os.getuid(), os.getgid()
    flags = kernel.NEW_NS | kernel.NEW_PID | kernel.NEW_IPC | kernel.NEW_NET | kernel.NEW_UTS
    kernel.unshare(flags if uid == 0 else flags | kernel.NEW_USER)
    if uid != 0:
        kernel.map_user(uid, uid, gid, gid)


def _make_root(plan: dict[str, Any]) -> None:
    sources = [*plan["binds"], *((f"/dev/{n}", f"/dev/{n}") for n in plan["devices"])]
    opened = [(os.open(source, os.O_PATH), target) for source, target in sources]
    kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    flags = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.do([kernel.tmpfs_call(_BASE, flags, "mode=755,size=1m")])
    for folder in plan["folders"]:
        os.makedirs(_BASE + folder, exist_ok=True)  # noqa: PTH103 - lean
    for descriptor, target in opened:
        _bind(descriptor, _BASE + target, is_device=target.startswith("/dev/"))
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("proc", f"{_BASE}/proc", "proc", flags)
    for target, name in plan["links"]:
        os.symlink(target, _BASE + name)  # noqa: PTH211 - lean
    os.chdir(_BASE)
    kernel.pivot_root_here()
    os.chdir("/")
    flags = kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY
    kernel.mount("none", "/", None, flags | kernel.MS_NOSUID | kernel.MS_NODEV)


def _bind(descriptor: int, target: str, *, is_device: bool) -> None:
    source = f"/proc/self/fd/{descriptor}"
    if os.path.isdir(source):  # noqa: PTH112 - lean
        os.makedirs(target, exist_ok=True)  # noqa: PTH103 - lean
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    kernel.mount(source, target, None, kernel.MS_BIND)
    os.close(descriptor)
    found = os.statvfs(target).f_flag
    kept = sum(flag for name, flag in _FLAGS.items() if found & name)  # those may be locked
    flags = kept | kernel.MS_NOSUID
    if not is_device:
        flags |= kernel.MS_RDONLY | kernel.MS_NODEV
    kernel.mount("none", target, None, kernel.MS_BIND | kernel.MS_REMOUNT | flags)
