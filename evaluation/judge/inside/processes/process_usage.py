"""What a program and all processes that it started use: memory, processor time, threads.

Read from the ``/proc`` of the surrounding namespace, which the supervisor opens before hiding it.
There a process is listed with its parent and its number in each nested namespace. Without
namespaces a program has a single process. One that has ended stays listed, with its time, until its
parent waits for it, and then counts as its parent's: no program can have it vanish (see
``confinement.seccomp``).
"""

import contextlib
import os
import socket
from typing import NamedTuple

_KIB = 1024
_NS_PER_S = 1_000_000_000
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# In stat, behind the name: user and system time, and those of children that were waited for.
_FIRST_TIME, _LAST_TIME = 11, 15
_RUNNING = "R"


class Usage(NamedTuple):
    """One measurement."""

    memory_bytes: int
    cpu_s: float
    is_running: bool  # the program or the examiner runs, or would if it had a processor
    n_threads: int = 1  # of all its processes, at least one each


class ProcessUsage:
    """Measures the processes of programs.

    Args:
        proc: A descriptor of ``/proc``.
        is_nested: Whether programs have pid namespaces of their own.
    """

    def __init__(self, proc: int, *, is_nested: bool) -> None:
        self._proc = proc
        self._is_nested = is_nested
        status = self._read_status("self")
        self._depth = len(status.get("NSpid", "").split())
        self._shared_kib = _sum_own_kib(status)
        ours, theirs = socket.socketpair()
        self._socket_kib = ours.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // _KIB
        ours.close()
        theirs.close()

    def measure(self, *, program: int, examiner: int) -> Usage:
        """Returns what the program uses now, beyond the memory that it shares with the zygote.

        Args:
            program: Its process; both are numbers in the supervisor's namespace.
            examiner: While this runs, the program does not count as idle.
        """
        memory_kib, cpu_s, is_running = self._count_sockets() * self._socket_kib, 0.0, False
        n_threads = 0
        own = {str(program), str(examiner)}
        names = os.listdir(self._proc) if self._is_nested else own  # noqa: PTH208 - a descriptor
        statuses = {name: self._read_status(name) for name in names if name.isdigit()}
        numbers = {name: self._read_number(status) for name, status in statuses.items()}
        parents = {name: status.get("PPid", "") for name, status in statuses.items()}
        for name, status in statuses.items():
            if numbers[name] == str(examiner):
                is_running |= self._is_running(name, status)
            elif _is_of_program(name, str(program), numbers, parents):
                memory_kib += max(0, _sum_own_kib(status) - self._shared_kib)
                is_running |= self._is_running(name, status)
                cpu_s += self._read_cpu_s(name)
                n_threads += _count_threads(status)
        return Usage(memory_kib * _KIB, cpu_s, is_running, n_threads)

    def count_threads(self, program: int) -> int:
        """Returns the threads of a program's first process; 0 if it has ended."""
        return _count_threads(self._read_status(str(program)))

    def _read_number(self, status: dict[str, str]) -> str:
        """Returns a process's number in the supervisor's namespace; empty if it has none there."""
        numbers = status.get("NSpid", "").split()[self._depth - 1 :]
        return numbers[0] if numbers else ""

    def _is_running(self, name: str, status: dict[str, str]) -> bool:
        """Returns whether any thread of a process runs, or would if it had a processor."""
        if status["State"].startswith(_RUNNING) or status.get("Threads") == "1":
            return status["State"].startswith(_RUNNING)
        with contextlib.suppress(OSError):  # it has ended
            folder = os.open(f"{name}/task", os.O_RDONLY, dir_fd=self._proc)
            try:
                tasks = [task for task in os.listdir(folder) if task != name]  # noqa: PTH208
            finally:
                os.close(folder)
            return any(
                self._read_status(f"{name}/task/{task}").get("State", "").startswith(_RUNNING)
                for task in tasks
            )
        return False

    def _count_sockets(self) -> int:
        """Returns how many sockets there are, each of which can hold as much as it may send."""
        if not self._is_nested:  # a single process, with few of them
            return 0
        words = self._read("net/sockstat").split(maxsplit=3)
        return int(words[2]) if words[:2] == ["sockets:", "used"] else 0

    def _read_cpu_s(self, name: str) -> float:
        """Returns the processor time of a process, and of children that it has waited for."""
        fields = self._read(f"{name}/stat").rpartition(")")[2].split()
        ticks = [int(field) for field in fields[_FIRST_TIME:_LAST_TIME]] or [0]
        main_thread_s = int((self._read(f"{name}/schedstat").split() or ["0"])[0]) / _NS_PER_S
        return max(sum(ticks[:2]) / _TICKS_PER_S, main_thread_s) + sum(ticks[2:]) / _TICKS_PER_S

    def _read_status(self, name: str) -> dict[str, str]:
        lines = self._read(f"{name}/status").splitlines()
        return dict(line.partition(":\t")[::2] for line in lines)

    def _read(self, path: str) -> str:
        """Returns a small file's text; an empty one if the process has ended."""
        with contextlib.suppress(OSError):
            file = os.open(path, os.O_RDONLY, dir_fd=self._proc)
            try:
                return os.read(file, 1 << 14).decode("ascii", "replace")
            finally:
                os.close(file)
        return ""


def _count_threads(status: dict[str, str]) -> int:
    return int(status.get("Threads", "0"))


def _sum_own_kib(status: dict[str, str]) -> int:
    values = (status.get(key, "0").split() for key in ("RssAnon", "RssShmem", "VmPTE"))
    return sum(int(value[0]) for value in values)


def _is_of_program(
    name: str, program: str, numbers: dict[str, str], parents: dict[str, str]
) -> bool:
    """Returns whether a process is the program's first, or descends from it.

    The first process of a namespace adopts all orphans in it. Processes of earlier programs, dead
    but not yet waited for, descend from others.
    """
    while numbers.get(name):
        if numbers[name] == program:
            return True
        name = parents[name]
    return False
