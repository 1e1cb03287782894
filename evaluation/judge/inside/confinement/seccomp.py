"""The system call filters of a program under test, as classic BPF.

The calls of ``syscall_table`` are allowed; of sockets only unix ones, of ``fcntl`` and ``ioctl``
only some commands; what SIGCHLD does cannot be changed, since a process that ignores it loses the
processor time of its children. Everything else is refused with EPERM, and calls that the table's
kernel did not know yet with ENOSYS, as that kernel would have. A foreign architecture kills the
program. For x86-64 and aarch64.

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
from collections.abc import Iterable, Iterator, Sequence

from evaluation.judge.inside.confinement import syscall_table

_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _ABOVE, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_ARG0, _OFFSET_ARG1 = 0, 4, 16, 24
_OFFSET_ARG3, _OFFSET_ARG4 = 40, 48
_HIGH_HALF = 4  # from an argument's offset
_X32_BIT = 0x40000000
_REFUSE, _UNKNOWN = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
_LAST_KNOWN = 470  # calls with higher numbers are newer than the table

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_ALLOWED = syscall_table.ALLOWED


def build_zygote_filter(machine: str | None = None, *, allows_shared_memory: bool = True) -> bytes:
    """Returns the zygote's filter.

    Args:
        machine: The architecture; None for this one.
        allows_shared_memory: Whether memory may be mapped that no process shows as its own.

    Raises:
        OSError: The architecture is not supported.
    """
    machine, column = _resolve_architecture(machine)
    program = _Assembler(column)
    program.load(_OFFSET_ARCH)
    program.emit(_EQUAL, _AUDIT_ARCH[machine], 1, 0)
    program.emit(_RETURN, _KILL)
    program.load(_OFFSET_NUMBER)
    if machine == "x86_64":
        program.emit(_AT_LEAST, _X32_BIT, 0, 1)
        program.emit(_RETURN, _KILL)
    program.return_if_equal(syscall_table.CLONE3[column], _UNKNOWN)
    for name in ("socket", "socketpair"):
        program.refuse_unless_equal(name, _OFFSET_ARG0, (syscall_table.AF_UNIX,))
    program.refuse_unless_equal("fcntl", _OFFSET_ARG1, syscall_table.FCNTL_COMMANDS)
    program.refuse_unless_equal("ioctl", _OFFSET_ARG1, syscall_table.IOCTL_REQUESTS)
    program.refuse_unless("clone", _OFFSET_ARG0, (_ANY_BIT, syscall_table.CLONE_NEW_ANY, 0, 1))
    if not allows_shared_memory:
        program.refuse_bits("mmap", _OFFSET_ARG3, syscall_table.MAP_SHARED_ANONYMOUS)
    program.refuse_change_of_signal(syscall_table.SIGCHLD)
    program.allow(numbers[column] for numbers in _ALLOWED.values())
    return program.code


def build_child_filter(machine: str | None = None) -> bytes:
    """Returns the filter that a child adds to the zygote's.

    Args:
        machine: The architecture; None for this one.

    Raises:
        OSError: The architecture is not supported.
    """
    _, column = _resolve_architecture(machine)
    program = _Assembler(column)
    program.load(_OFFSET_NUMBER)
    program.refuse(syscall_table.ZYGOTE_ONLY)
    program.emit(_RETURN, _ALLOW)
    return program.code


def build_strict_child_filter(own_pid: int, machine: str | None = None) -> bytes:
    """Returns the filter of a child without namespaces: no fork, socket or signal to others.

    It may have pairs of sockets, which reach no others: their addresses are refused.

    Args:
        own_pid: The child's process.
        machine: The architecture; None for this one.

    Raises:
        OSError: The architecture is not supported.
    """
    _, column = _resolve_architecture(machine)
    program = _Assembler(column)
    program.load(_OFFSET_NUMBER)
    program.refuse(syscall_table.ZYGOTE_ONLY)
    program.refuse(syscall_table.NAMESPACES_ONLY)
    program.refuse_unless("clone", _OFFSET_ARG0, (_ANY_BIT, syscall_table.CLONE_THREAD, 1, 0))
    program.refuse_unless_equal("prlimit64", _OFFSET_ARG0, (0,))  # the caller
    program.refuse_unless("prctl", _OFFSET_ARG0, (_EQUAL, syscall_table.PR_SET_PDEATHSIG, 0, 1))
    program.refuse_unless_null("sendto", _OFFSET_ARG4)  # an address
    for name in ("kill", "tgkill"):
        program.refuse_unless_equal(name, _OFFSET_ARG0, (own_pid,))
    program.emit(_RETURN, _ALLOW)
    return program.code


def _resolve_architecture(machine: str | None) -> tuple[str, int]:
    machine = machine or os.uname().machine
    if machine not in _AUDIT_ARCH:
        raise OSError(errno.ENOSYS, f"there is no system call filter for {machine}")
    return machine, 0 if machine == "x86_64" else 1


class _Assembler:
    """Appends instructions; a jump is the number of instructions to skip.

    Between any two methods the call's number is loaded.

    Args:
        column: The architecture's, in the table of system calls.
    """

    def __init__(self, column: int) -> None:
        self.code = b""
        self._column = column

    def emit(self, code: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        self.code += struct.pack("HBBI", code, if_true, if_false, value & 0xFFFFFFFF)

    def load(self, offset: int) -> None:
        self.emit(_LOAD, offset)

    def return_if_equal(self, value: int, action: int) -> None:
        self.emit(_EQUAL, value, 0, 1)
        self.emit(_RETURN, action)

    def refuse(self, names: Iterable[str]) -> None:
        numbers = [number for n in names if (number := _ALLOWED[n][self._column]) is not None]
        for n_left in reversed(range(len(numbers))):  # all jump to one refusal
            self.emit(_EQUAL, numbers[n_left], n_left, 0 if n_left else 1)
        self.emit(_RETURN, _REFUSE)

    def refuse_unless(self, name: str, argument: int, test: tuple[int, int, int, int]) -> None:
        """Refuses a call whose argument fails ``test``; its jumps skip the refusal or not."""
        self._begin_call(name, n_tests=1)
        self.load(argument)
        self.emit(*test)
        self._end_call()

    def refuse_unless_equal(self, name: str, argument: int, values: Sequence[int]) -> None:
        """Refuses a call whose argument is none of these values."""
        self._begin_call(name, n_tests=len(values))
        self.load(argument)
        for index, value in enumerate(values):
            self.emit(_EQUAL, value, len(values) - index, 0)
        self._end_call()

    def refuse_unless_null(self, name: str, argument: int) -> None:
        """Refuses a call whose argument is a pointer to anything."""
        self._begin_call(name, n_tests=3)  # two tests, and one more load
        self.load(argument)
        self.emit(_EQUAL, 0, 0, 2)
        self.load(argument + _HIGH_HALF)
        self.emit(_EQUAL, 0, 1, 0)
        self._end_call()

    def refuse_bits(self, name: str, argument: int, bits: tuple[int, int]) -> None:
        """Refuses a call whose argument has both bits."""
        self._begin_call(name, n_tests=2)
        self.load(argument)
        self.emit(_ANY_BIT, bits[0], 0, 2)
        self.emit(_ANY_BIT, bits[1], 0, 1)
        self._end_call()

    def refuse_change_of_signal(self, signal: int) -> None:
        """Refuses to change what a signal does; asking for it, without a new action, is allowed."""
        self._begin_call("rt_sigaction", n_tests=5)  # three tests, and two more loads
        self.load(_OFFSET_ARG0)
        self.emit(_EQUAL, signal, 0, 5)
        self.load(_OFFSET_ARG1)
        self.emit(_EQUAL, 0, 0, 2)
        self.load(_OFFSET_ARG1 + _HIGH_HALF)
        self.emit(_EQUAL, 0, 1, 0)
        self._end_call()

    def allow(self, numbers: Iterable[int | None]) -> None:
        """Allows calls by number, refuses all others and returns: the end of a filter."""
        for first, last in _find_ranges(sorted(n for n in numbers if n is not None)):
            self.emit(_AT_LEAST, first, 1, 0)
            self.emit(_RETURN, _REFUSE)
            self.emit(_ABOVE, last, 1, 0)
            self.emit(_RETURN, _ALLOW)
        self.emit(_ABOVE, _LAST_KNOWN, 1, 0)
        self.emit(_RETURN, _REFUSE)
        self.emit(_RETURN, _UNKNOWN)

    def _begin_call(self, name: str, *, n_tests: int) -> None:
        number = _ALLOWED[name][self._column]
        assert number is not None, name
        self.emit(_EQUAL, number, 0, n_tests + 3)

    def _end_call(self) -> None:
        self.emit(_RETURN, _REFUSE)
        self.load(_OFFSET_NUMBER)


def _find_ranges(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Yields the first and the last of each run of consecutive numbers."""
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            yield first, last
            first = number
        last = number
    yield first, last
