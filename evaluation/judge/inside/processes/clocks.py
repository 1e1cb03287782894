"""A program's clocks: processor time, and the time during which it did nothing.

Neither runs faster on a loaded machine: a process that waits for a processor is not idle. A program
is stopped when it has used up either, and after several times the latter in any case; also if what
it returns keeps the examiner computing for several times the former.
"""

import contextlib
import time

from evaluation.judge.inside.channel.judge_messages import Ending
from evaluation.judge.inside.plan import MAX_WALL_FACTOR, Plan
from evaluation.judge.inside.processes.process_usage import Usage

CHECK_INTERVAL_S = 0.05
_SHORT_INTERVAL_S = 0.005  # while memory is short and nothing but the checks bounds it
_SHORT_SHARE = 4
_PROCESSOR_TIME = 2  # in a process's clock id; see clock_getcpuclockid(3)


class Clocks:
    """The clocks of one program, which start now.

    Args:
        program: Its process.
        examiner: The process that tests it.
        plan: The sandbox's.
    """

    def __init__(self, program: int, examiner: int, plan: Plan) -> None:
        self._plan = plan
        self._program = _ProcessClock(program)
        self._examiner = _ProcessClock(examiner)
        self._started = self._checked = time.monotonic()
        self._idle_s = 0.0
        self.interval_s = CHECK_INTERVAL_S  # until the next check
        self._cpu_s = 0.0  # of all processes, at the last check

    def read_cpu_s(self) -> float:
        """Returns the processor time of the program: of all its processes when last checked."""
        return max(self._program.read_elapsed_s(), self._cpu_s)

    def read_wall_s(self) -> float:
        """Returns the seconds since the start."""
        return time.monotonic() - self._started

    def is_check_due(self) -> bool:
        """Returns whether it is time to check the limits again."""
        return time.monotonic() - self._checked >= self.interval_s

    def find_exceeded_limit(self, usage: Usage) -> Ending | None:
        """Returns which limit is exceeded, if any.

        Args:
            usage: What all of the program's processes use now.
        """
        now = time.monotonic()
        since_s, self._checked = now - self._checked, now
        if not usage.is_running:
            self._idle_s += since_s
        is_short = usage.memory_bytes * _SHORT_SHARE > self._plan.memory_bytes
        is_polled = is_short and not self._plan.is_memory_bounded
        self.interval_s = _SHORT_INTERVAL_S if is_polled else CHECK_INTERVAL_S
        self._cpu_s = usage.cpu_s
        if self.read_cpu_s() >= self._plan.cpu_s:
            return "timeout_cpu"
        if self._examiner.read_elapsed_s() >= MAX_WALL_FACTOR * self._plan.cpu_s:
            return "timeout_cpu"
        is_late = now - self._started >= MAX_WALL_FACTOR * self._plan.wall_s
        return "timeout_wall" if is_late or self._idle_s >= self._plan.wall_s else None


class _ProcessClock:
    """The processor time of a process from now on, which can still be read once it has ended."""

    def __init__(self, pid: int) -> None:
        self._clock = (~pid << 3) | _PROCESSOR_TIME
        self._last_s = 0.0
        self._start_s = self._read_s()

    def read_elapsed_s(self) -> float:
        return self._read_s() - self._start_s

    def _read_s(self) -> float:
        with contextlib.suppress(OSError):  # the process has ended
            self._last_s = time.clock_gettime(self._clock)
        return self._last_s
