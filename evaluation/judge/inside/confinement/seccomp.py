"""The system call filters of a program under test, as classic BPF.

What a Python program needs is allowed; what reaches across namespaces, creates new ones, loads code
into the kernel or uses any socket family but unix is refused with EPERM. A foreign architecture
kills the program. For x86-64 and aarch64.

There are two filters, since installing a long one takes the kernel as long as loading a short
program: the zygote installs the long one, which its children inherit, and each child a short one
that refuses the three calls which the zygote needs (and which fail without a capability in any
case). Without namespaces the child's filter is a strict one, which keeps it from all other
processes.

Source: seccomp(2) and the kernel's ``linux/filter.h``.
"""

import errno
import os
import struct
from collections.abc import Iterable

_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_ARG0, _OFFSET_ARG1 = 0, 4, 16, 24
_X32_BIT = 0x40000000
_AF_UNIX = 1
_TIOCSTI = 0x5412
_CLONE_NEW_ANY = 0x7E020080

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Numbers on (x86-64, aarch64); None if the architecture has no such call.
_REFUSED: dict[str, tuple[int, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "memfd_create": (319, 279),  # memory that is charged to no process
    "memfd_secret": (447, 447),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "mq_open": (240, 180),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "semget": (64, 190),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "shmat": (30, 196),
    "shmget": (29, 194),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
# What reaches other processes, or what Landlock leaves open; for children without namespaces.
_REFUSED_BY_STRICT: dict[str, tuple[int, int | None]] = {
    "chmod": (90, None),
    "chown": (92, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "fork": (57, None),
    "fremovexattr": (199, 16),
    "fsetxattr": (190, 7),
    "futimesat": (261, None),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "ioprio_set": (251, 30),
    "lchown": (94, None),
    "lremovexattr": (198, 15),
    "lsetxattr": (189, 6),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "mq_unlink": (241, 181),
    "msgctl": (71, 187),
    "msgrcv": (70, 188),
    "msgsnd": (69, 189),
    "process_mrelease": (448, 448),
    "removexattr": (197, 14),
    "removexattrat": (466, 466),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "semctl": (66, 191),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "setpgid": (109, 154),
    "setpriority": (141, 140),
    "setxattr": (188, 5),
    "setxattrat": (463, 463),
    "shmctl": (31, 195),
    "socket": (41, 198),
    "tkill": (200, 130),
    "utime": (132, None),
    "utimensat": (280, 88),
    "utimes": (235, None),
    "vfork": (58, None),
}
_CLONE, _CLONE3, _IOCTL = (56, 220), (435, 435), (16, 29)
_FCNTL, _PRLIMIT, _KILL_CALL, _TGKILL = (72, 25), (302, 261), (62, 129), (234, 131)
_CLONE_THREAD = 0x10000
_F_SETOWN, _F_SETOWN_EX = 8, 15  # set whom a descriptor sends signals to
_SOCKET, _SOCKETPAIR = (41, 198), (53, 199)


_NEEDED_BY_ZYGOTE = ("mount", "setns", "unshare")


def build_zygote_filter(machine: str | None = None) -> bytes:
    """Returns the zygote's filter.

    Args:
        machine: The architecture; None for this one.

    Raises:
        OSError: The architecture is not supported.
    """
    machine, column = _resolve_architecture(machine)
    program = _Assembler()
    program.load(_OFFSET_ARCH)
    program.return_unless_equal(_AUDIT_ARCH[machine], _KILL)
    program.load(_OFFSET_NUMBER)
    if machine == "x86_64":
        program.emit(_AT_LEAST, _X32_BIT, 0, 1)
        program.emit(_RETURN, _KILL)
    program.return_if_equal(_CLONE3[column], _ERRNO | errno.ENOSYS)  # libc then uses clone
    program.refuse([name for name in _REFUSED if name not in _NEEDED_BY_ZYGOTE], column)
    for numbers in (_SOCKET, _SOCKETPAIR):
        program.refuse_unless(numbers[column], _OFFSET_ARG0, (_EQUAL, _AF_UNIX, 1, 0))
    program.refuse_unless(_CLONE[column], _OFFSET_ARG0, (_ANY_BIT, _CLONE_NEW_ANY, 0, 1))
    program.refuse_unless(_IOCTL[column], _OFFSET_ARG1, (_EQUAL, _TIOCSTI, 0, 1))
    program.emit(_RETURN, _ALLOW)
    return program.code


def build_child_filter(machine: str | None = None) -> bytes:
    """Returns the filter that a child adds to the zygote's.

    Args:
        machine: The architecture; None for this one.

    Raises:
        OSError: The architecture is not supported.
    """
    _, column = _resolve_architecture(machine)
    program = _Assembler()
    program.load(_OFFSET_NUMBER)
    program.refuse(_NEEDED_BY_ZYGOTE, column)
    program.emit(_RETURN, _ALLOW)
    return program.code


def build_strict_child_filter(own_pid: int, machine: str | None = None) -> bytes:
    """Returns the filter of a child without namespaces: no fork, socket or signal to others.

    Args:
        own_pid: The child's process.
        machine: The architecture; None for this one.

    Raises:
        OSError: The architecture is not supported.
    """
    _, column = _resolve_architecture(machine)
    program = _Assembler()
    program.load(_OFFSET_NUMBER)
    program.refuse(_NEEDED_BY_ZYGOTE, column)
    program.refuse(_REFUSED_BY_STRICT, column)
    program.refuse_unless(_CLONE[column], _OFFSET_ARG0, (_ANY_BIT, _CLONE_THREAD, 1, 0))
    program.refuse_unless(_PRLIMIT[column], _OFFSET_ARG0, (_EQUAL, 0, 1, 0))  # 0 is the caller
    for numbers in (_KILL_CALL, _TGKILL):
        program.refuse_unless(numbers[column], _OFFSET_ARG0, (_EQUAL, own_pid, 1, 0))
    for command in (_F_SETOWN, _F_SETOWN_EX):
        program.refuse_unless(_FCNTL[column], _OFFSET_ARG1, (_EQUAL, command, 0, 1))
    program.emit(_RETURN, _ALLOW)
    return program.code


def _resolve_architecture(machine: str | None) -> tuple[str, int]:
    machine = machine or os.uname().machine
    if machine not in _AUDIT_ARCH:
        raise OSError(errno.ENOSYS, f"there is no system call filter for {machine}")
    return machine, 0 if machine == "x86_64" else 1


class _Assembler:
    """Appends instructions; a jump is the number of instructions to skip."""

    def __init__(self) -> None:
        self.code = b""

    def emit(self, code: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        self.code += struct.pack("HBBI", code, if_true, if_false, value & 0xFFFFFFFF)

    def load(self, offset: int) -> None:
        self.emit(_LOAD, offset)

    def refuse(self, names: Iterable[str], column: int) -> None:
        for name in names:
            number = (_REFUSED.get(name) or _REFUSED_BY_STRICT[name])[column]
            if number is not None:
                self.return_if_equal(number, _ERRNO | errno.EPERM)

    def return_if_equal(self, value: int, action: int) -> None:
        self.emit(_EQUAL, value, 0, 1)
        self.emit(_RETURN, action)

    def return_unless_equal(self, value: int, action: int) -> None:
        self.emit(_EQUAL, value, 1, 0)
        self.emit(_RETURN, action)

    def refuse_unless(self, number: int, argument: int, test: tuple[int, int, int, int]) -> None:
        """Refuses a call whose argument fails ``test``; its jumps skip the refusal or not."""
        self.emit(_EQUAL, number, 0, 4)
        self.load(argument)
        self.emit(*test)
        self.emit(_RETURN, _ERRNO | errno.EPERM)
        self.load(_OFFSET_NUMBER)
