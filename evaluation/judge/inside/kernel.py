"""The few system calls that isolation needs, by ctypes; each failure is an ``OSError``."""

import ctypes
import os
import struct

NEW_NS, NEW_IPC, NEW_USER, NEW_PID = 0x20000, 0x08000000, 0x10000000, 0x20000000
NEW_UTS, NEW_NET = 0x04000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 0x1, 0x2, 0x4, 0x8, 0x20
MS_NOATIME, MS_NODIRATIME, MS_BIND, MS_REC = 0x400, 0x800, 0x1000, 0x4000
MS_PRIVATE, MS_RELATIME = 0x40000, 0x200000
_MNT_DETACH = 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP = 1, 4, 22
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 24, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522
_SIGKILL = 9

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Moves this process (or, for pids, its next child) to new namespaces."""
    _checked(_libc.unshare(flags), "unshare")


def map_user(uid: int, outer_uid: int, gid: int, outer_gid: int) -> None:
    """Says who this process is in its new user namespace: ``uid`` and ``gid``, and nobody else."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {outer_uid} 1"),
        ("gid_map", f"{gid} {outer_gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - lean
            file.write(text)


def enter_namespace(descriptor: int, kind: int) -> None:
    """Moves this process (or, for pids, its next child) to an open namespace."""
    _checked(_libc.setns(descriptor, kind), "setns")


def mount_tmpfs(target: str, flags: int, options: str) -> None:
    """Mounts a new tmpfs."""
    arguments = (b"tmpfs", target.encode(), b"tmpfs", flags, options.encode())
    _checked(_libc.mount(*arguments), f"mount {target}")


def mount(source: str, target: str, kind: str | None, flags: int) -> None:
    """Mounts, binds or remounts, as ``flags`` say."""
    kind_bytes = None if kind is None else kind.encode()
    arguments = (source.encode(), target.encode(), kind_bytes, flags, None)
    _checked(_libc.mount(*arguments), f"mount {target}")


def pivot_root_here() -> None:
    """Makes the working directory the root, and lets go of the old one."""
    number = _PIVOT_ROOT[os.uname().machine]
    _checked(_libc.syscall(number, b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", _MNT_DETACH), "umount")


def set_hostname(name: str) -> None:
    """Names the machine, as this namespace sees it."""
    data = name.encode()
    _checked(_libc.sethostname(data, len(data)), "sethostname")


def die_with_parent() -> None:
    """Asks the kernel to kill this process when its parent dies."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0), "pdeathsig")


def hide_from_peers() -> None:
    """Makes this process's memory unreadable to others of its user."""
    _checked(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")


def last_capability() -> int:
    """Returns the highest capability that the kernel knows."""
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:  # noqa: PTH123 - lean
        return int(file.read())


def bound_capabilities() -> None:
    """Takes from all children the capabilities that a program could get by running another."""
    for capability in range(last_capability() + 1):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails where it is gone already


def drop_privileges(filter_program: bytes) -> None:
    """Drops every capability for good and installs a seccomp filter.

    Args:
        filter_program: Classic BPF instructions, 8 bytes each.
    """
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = struct.pack("II", _CAPABILITY_VERSION_3, 0)
    _checked(_libc.capset(header, b"\0" * 24), "capset")
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    buffer = ctypes.create_string_buffer(filter_program, len(filter_program))
    program = _FilterProgram(len(filter_program) // 8, ctypes.addressof(buffer))
    result = _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
    _checked(result, "seccomp")


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))
