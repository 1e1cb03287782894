"""What a program uses, with all processes that it started: memory, processor time, a processor.

Read from the ``/proc`` of the namespace around, which the supervisor opens before it hides it.
There a process stands with its number in each nested namespace, and those of the program are the
ones that are nested deeper than the supervisor. Without namespaces there is its one process.
"""

import contextlib
import os
from typing import NamedTuple

_KIB = 1024
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_FIRST_TIME, _LAST_TIME = 11, 15  # in stat, behind the name: user, system, waited children's both
_RUNNING = "R"


class Use(NamedTuple):
    """What was seen in one look."""

    memory_bytes: int
    cpu_s: float
    is_running: bool  # the program or the examiner runs, or would if it had a processor


class Tree:
    """Looks at the processes of programs.

    Args:
        proc: A descriptor of ``/proc``.
        is_nested: Whether programs stand in pid namespaces of their own.
    """

    def __init__(self, proc: int, *, is_nested: bool) -> None:
        self._proc = proc
        self._is_nested = is_nested
        status = self._status("self")
        self._depth = len(status.get("NSpid", "").split())
        self._shared_kib = _anonymous_kib(status)

    def look(self, *, program: int, waiting: int, examiner: int) -> Use:
        """Returns what the program uses now, beyond the memory that it shares with the zygote.

        Args:
            program: Its process, by the number in the supervisor's namespace, as the others.
            waiting: The process of the next program.
            examiner: Its run is not the program's idling.
        """
        memory_kib, cpu_s, is_running = 0, 0.0, False
        own = {str(program), str(examiner)}
        names = os.listdir(self._proc) if self._is_nested else own  # noqa: PTH208 - a descriptor
        for name in names:
            if not name.isdigit():
                continue
            status = self._status(name)
            numbers = status.get("NSpid", "").split()[self._depth - 1 :]
            if not numbers or numbers[0] == str(waiting):
                continue
            if numbers[0] == str(examiner):
                is_running |= status["State"].startswith(_RUNNING)
            elif len(numbers) > 1 or numbers[0] == str(program):
                memory_kib += max(0, _anonymous_kib(status) - self._shared_kib)
                is_running |= status["State"].startswith(_RUNNING)
                cpu_s += self._cpu_s(name)
        return Use(memory_kib * _KIB, cpu_s, is_running)

    def _cpu_s(self, name: str) -> float:
        fields = self._read(f"{name}/stat").rpartition(")")[2].split()
        return sum(map(int, fields[_FIRST_TIME:_LAST_TIME])) / _TICKS_PER_S

    def _status(self, name: str) -> dict[str, str]:
        lines = self._read(f"{name}/status").splitlines()
        return dict(line.partition(":\t")[::2] for line in lines)

    def _read(self, path: str) -> str:
        """Returns a small file's text; nothing if the process has ended."""
        with contextlib.suppress(OSError):
            file = os.open(path, os.O_RDONLY, dir_fd=self._proc)
            try:
                return os.read(file, 1 << 14).decode("ascii", "replace")
            finally:
                os.close(file)
        return ""


def _anonymous_kib(status: dict[str, str]) -> int:
    kib = (status.get(key, "0").split() for key in ("RssAnon", "RssShmem"))
    return sum(int(words[0]) for words in kib)
