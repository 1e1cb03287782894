"""What a program and all processes that it started use: memory, processor time, a processor.

Read from the ``/proc`` of the surrounding namespace, which the supervisor opens before hiding it.
There a process is listed with its number in each nested namespace, and a program's processes are
those nested deeper than the supervisor. Without namespaces a program has a single process.
"""

import contextlib
import os
from typing import NamedTuple

_KIB = 1024
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# In stat, behind the name: user and system time, and those of children that were waited for.
_FIRST_TIME, _LAST_TIME = 11, 15
_RUNNING = "R"


class Usage(NamedTuple):
    """One measurement."""

    memory_bytes: int
    cpu_s: float
    is_running: bool  # the program or the examiner runs, or would if it had a processor
    n_processes: int = 1  # of the program, now
    last_process: int = 1  # the highest number of one, in the program's own namespace


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
        self._shared_kib = _sum_anonymous_kib(status)

    def measure(self, *, program: int, waiting: int, examiner: int) -> Usage:
        """Returns what the program uses now, beyond the memory that it shares with the zygote.

        Args:
            program: Its process; all three are numbers in the supervisor's namespace.
            waiting: The process of the next program.
            examiner: While this runs, the program does not count as idle.
        """
        memory_kib, cpu_s, is_running = 0, 0.0, False
        n_processes, last_process = 0, 1
        own = {str(program), str(examiner)}
        names = os.listdir(self._proc) if self._is_nested else own  # noqa: PTH208 - a descriptor
        for name in names:
            if not name.isdigit():
                continue
            status = self._read_status(name)
            numbers = status.get("NSpid", "").split()[self._depth - 1 :]
            if not numbers or numbers[0] == str(waiting):
                continue
            if numbers[0] == str(examiner):
                is_running |= status["State"].startswith(_RUNNING)
            elif len(numbers) > 1 or numbers[0] == str(program):
                memory_kib += max(0, _sum_anonymous_kib(status) - self._shared_kib)
                is_running |= status["State"].startswith(_RUNNING)
                cpu_s += self._read_cpu_s(name)
                n_processes += 1
                last_process = max(last_process, int(numbers[-1]) if len(numbers) > 1 else 1)
        return Usage(memory_kib * _KIB, cpu_s, is_running, n_processes, last_process)

    def _read_cpu_s(self, name: str) -> float:
        fields = self._read(f"{name}/stat").rpartition(")")[2].split()
        return sum(map(int, fields[_FIRST_TIME:_LAST_TIME])) / _TICKS_PER_S

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


def _sum_anonymous_kib(status: dict[str, str]) -> int:
    values = (status.get(key, "0").split() for key in ("RssAnon", "RssShmem"))
    return sum(int(value[0]) for value in values)
