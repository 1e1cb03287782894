"""Creates a sandbox's namespaces and file system, then becomes its supervisor.

Started by ``evaluation.judge.levels.namespaces`` as a process of its own, with the plan as its
argument. Standard library only. It follows bubblewrap's order: new namespaces, a root of its own
that holds nothing but what is planned, the old root detached, no capability left.
"""

import json
import os
import sys
from typing import NamedTuple, NoReturn

from evaluation.judge.inside.confinement import syscalls

_BASE = "/tmp"  # noqa: S108 - where the new root is assembled, invisible to everyone else


class LaunchPlan(NamedTuple):
    """The file system (see ``rootfs.RootFS``), and what to start in it."""

    folders: tuple[str, ...]
    binds: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    devices: tuple[str, ...]
    hostname: str
    user: int | None  # to become; None to remain who we are
    command: list[str]
    environment: dict[str, str]

    def to_json(self) -> str:
        """Returns the launcher's argument."""
        return json.dumps(self._asdict())


def main() -> NoReturn:
    """Never returns: a child becomes the supervisor, and this process waits for it."""
    plan = LaunchPlan(**json.loads(sys.argv[1]))
    syscalls.die_with_parent()
    _enter_namespaces()
    pid = os.fork()
    if pid:
        os.close(0)  # the host's socket belongs to the supervisor alone
        _, status = os.waitpid(pid, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    syscalls.die_with_parent()
    os.setsid()
    _make_root(plan)
    syscalls.set_hostname(plan.hostname)
    if plan.user is not None:
        os.setgroups([])
        os.setresgid(*[plan.user] * 3)
        os.setresuid(*[plan.user] * 3)
        syscalls.die_with_parent()  # the change of user has cleared it
    os.execve(plan.command[0], plan.command, plan.environment)  # noqa: S606 - a command of ours


def _enter_namespaces() -> None:
    uid, gid = os.getuid(), os.getgid()
    flags = syscalls.NEW_NS | syscalls.NEW_PID | syscalls.NEW_IPC
    flags |= syscalls.NEW_NET | syscalls.NEW_UTS
    syscalls.unshare(flags if uid == 0 else flags | syscalls.NEW_USER)
    if uid != 0:
        syscalls.map_user(uid, uid, gid, gid)


def _make_root(plan: LaunchPlan) -> None:
    sources = [*plan.binds, *((f"/dev/{n}", f"/dev/{n}") for n in plan.devices)]
    opened = [(os.open(source, os.O_PATH), target) for source, target in sources]
    syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
    syscalls.make_calls([syscalls.prepare_tmpfs(_BASE, flags, "mode=755,size=1m")])
    for folder in plan.folders:
        os.makedirs(_BASE + folder, exist_ok=True)  # noqa: PTH103 - lean
    for descriptor, target in opened:
        _bind(descriptor, _BASE + target, is_device=target.startswith("/dev/"))
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    empty = "mode=555,size=0,nr_inodes=1"
    for folder in plan.hidden:
        hide = syscalls.prepare_tmpfs(_BASE + folder, flags | syscalls.MS_RDONLY, empty)
        syscalls.make_calls([hide])
    syscalls.mount("proc", f"{_BASE}/proc", "proc", flags)
    for target, name in plan.links:
        os.symlink(target, _BASE + name)  # noqa: PTH211 - lean
    os.chdir(_BASE)
    syscalls.pivot_root_here()
    os.chdir("/")
    flags = syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY
    syscalls.mount("none", "/", None, flags | syscalls.MS_NOSUID | syscalls.MS_NODEV)


def _bind(descriptor: int, target: str, *, is_device: bool) -> None:
    source = f"/proc/self/fd/{descriptor}"
    if os.path.isdir(source):  # noqa: PTH112 - lean
        os.makedirs(target, exist_ok=True)  # noqa: PTH103 - lean
    elif not os.path.exists(target):  # noqa: PTH110 - lean; as the system's Python in /usr/bin
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    syscalls.mount(source, target, None, syscalls.MS_BIND)
    os.close(descriptor)
    flags = syscalls.MS_NOSUID | syscalls.MS_RDONLY
    syscalls.remount(target, flags if is_device else flags | syscalls.MS_NODEV)
