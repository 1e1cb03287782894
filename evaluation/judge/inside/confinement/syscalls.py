"""The few system calls that isolation needs, through ctypes; each failure is an ``OSError``.

A process that has just been forked pays for every page it writes. What it must do is therefore
prepared in advance, as functions and their arguments, and then done by :func:`make_calls`.
"""

import ctypes
import os
import struct
from collections.abc import Callable
from typing import Any

NEW_NS, NEW_IPC, NEW_USER, NEW_PID = 0x20000, 0x08000000, 0x10000000, 0x20000000
NEW_UTS, NEW_NET = 0x04000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 0x1, 0x2, 0x4, 0x8, 0x20
MS_NOATIME, MS_NODIRATIME, MS_BIND, MS_REC = 0x400, 0x800, 0x1000, 0x4000
MS_PRIVATE, MS_RELATIME = 0x40000, 0x200000
_STATVFS_FLAGS = {  # a mount's flags, by their names in statvfs
    os.ST_RDONLY: MS_RDONLY,
    os.ST_NOSUID: MS_NOSUID,
    os.ST_NODEV: MS_NODEV,
    os.ST_NOEXEC: MS_NOEXEC,
    os.ST_NOATIME: MS_NOATIME,
    os.ST_NODIRATIME: MS_NODIRATIME,
    os.ST_RELATIME: MS_RELATIME,
}
_MNT_DETACH = 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP = 1, 4, 22
_PR_SET_CHILD_SUBREAPER = 36
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 24, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522
_SIGKILL = 9

_libc = ctypes.CDLL(None, use_errno=True)
_capset, _mount, _prctl = _libc.capset, _libc.mount, _libc.prctl  # looked up once, not per child
_setns, _unshare = _libc.setns, _libc.unshare


PreparedCall = tuple[Callable[..., Any], tuple[Any, ...]]


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def prepare_unshare(flags: int) -> PreparedCall:
    """Returns the call that moves this process (or, for pids, its next child) to new namespaces."""
    return _unshare, (flags,)


def unshare(flags: int) -> None:
    """Moves this process (or, for pids, its next child) to new namespaces."""
    make_calls([prepare_unshare(flags)])


def map_user(uid: int, outer_uid: int, gid: int, outer_gid: int) -> None:
    """Maps one user and one group into this process's new user namespace."""
    write_own("setgroups", "deny")
    write_own("uid_map", f"{uid} {outer_uid} 1")
    write_own("gid_map", f"{gid} {outer_gid} 1")


def write_own(name: str, text: str) -> None:
    """Writes to a file of this process in ``/proc``."""
    with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - lean
        file.write(text)


def prepare_setns(descriptor: int, kind: int) -> PreparedCall:
    """Returns the call that enters an open namespace (for pids, only the next child does)."""
    return _setns, (descriptor, kind)


def prepare_tmpfs(target: str, flags: int, options: str) -> PreparedCall:
    """Returns the call that mounts a new tmpfs."""
    return _mount, (b"tmpfs", target.encode(), b"tmpfs", flags, options.encode())


def mount(source: str, target: str, kind: str | None, flags: int) -> None:
    """Mounts, binds or remounts, depending on ``flags``."""
    kind_bytes = None if kind is None else kind.encode()
    arguments = (source.encode(), target.encode(), kind_bytes, flags, None)
    _check(_mount(*arguments), f"mount {target}")


def remount(target: str, flags: int) -> None:
    """Adds flags to those of a bind mount."""
    present = os.statvfs(target).f_flag
    kept = sum(flag for name, flag in _STATVFS_FLAGS.items() if present & name)  # may be locked
    mount("none", target, None, MS_BIND | MS_REMOUNT | kept | flags)


def pivot_root_here() -> None:
    """Makes the working directory the root, and detaches the old root."""
    number = _PIVOT_ROOT[os.uname().machine]
    _check(_libc.syscall(number, b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _MNT_DETACH), "umount")


def set_hostname(name: str) -> None:
    """Sets the machine's name, as seen in this namespace."""
    data = name.encode()
    _check(_libc.sethostname(data, len(data)), "sethostname")


def die_with_parent() -> None:
    """Asks the kernel to kill this process when its parent dies."""
    make_calls([prepare_death_with_parent()])


def prepare_death_with_parent() -> PreparedCall:
    """Returns the call by which this process is killed when its parent dies."""
    return _prctl, (_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def adopt_orphans() -> None:
    """Makes this process the parent of those below it whose own parent has died."""
    _check(_prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "subreaper")


def hide_from_peers() -> None:
    """Makes this process's memory unreadable to other processes of its user."""
    _check(_prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")


def prepare_show_to_parent() -> PreparedCall:
    """Returns the call by which a user's processes see which files this one has open."""
    return _prctl, (_PR_SET_DUMPABLE, 1, 0, 0, 0)


def refuse_new_privileges() -> None:
    """Ensures that nothing which this process or a child runs can gain a privilege."""
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    _check(_prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def read_last_capability() -> int:
    """Returns the number of the kernel's last capability."""
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:  # noqa: PTH123 - lean
        return int(file.read())


def bound_capabilities() -> None:
    """Takes from all children the capabilities that a program could gain by executing another."""
    for capability in range(read_last_capability() + 1):
        _prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails if it is gone already


def prepare_filter(program: bytes) -> PreparedCall:
    """Returns the call that installs a seccomp filter.

    Args:
        program: Classic BPF instructions, 8 bytes each.
    """
    buffer = ctypes.create_string_buffer(program, len(program))
    filter_program = _FilterProgram(len(program) // 8, ctypes.addressof(buffer), buffer)
    return _prctl, (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.pointer(filter_program), 0, 0)


def prepare_capability_drop() -> PreparedCall:
    """Returns the call that drops every capability for good."""
    return _capset, (struct.pack("II", _CAPABILITY_VERSION_3, 0), b"\0" * 24)


def make_calls(calls: list[PreparedCall]) -> None:
    """Makes prepared calls, each of which returns None or zero.

    Raises:
        OSError: One of them failed.
    """
    for call, arguments in calls:
        if call(*arguments):
            _check(-1, call.__name__)


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    def __init__(self, length: int, address: int, buffer: object) -> None:
        super().__init__(length, address)
        self._buffer = buffer  # keeps alive what the address points to
