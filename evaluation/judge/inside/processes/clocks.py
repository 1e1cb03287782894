"""A program's clocks: processor time, and the time during which it did nothing.

Neither runs faster on a loaded machine: a process that waits for a processor is not idle. A program
is stopped when it has used up either, and after several times the latter in any case.
"""

import time

from evaluation.judge.inside.channel.messages import Ending
from evaluation.judge.inside.plan import MAX_WALL_FACTOR, Plan
from evaluation.judge.inside.processes.process_usage import Usage

CHECK_INTERVAL_S = 0.05
_PROCESSOR_TIME = 2  # in a process's clock id; see clock_getcpuclockid(3)


class Clocks:
    """The clocks of one program, which start now."""

    def __init__(self, pid: int, plan: Plan) -> None:
        self._plan = plan
        self._clock = (~pid << 3) | _PROCESSOR_TIME
        self._before_s = self._last_s = self._read(0.0)
        self._started = self._checked = time.monotonic()
        self._idle_s = 0.0

    def cpu_s(self) -> float:
        """Returns the processor time of the program's first process."""
        self._last_s = self._read(self._last_s)
        return self._last_s - self._before_s

    def wall_s(self) -> float:
        """Returns the seconds since the start."""
        return time.monotonic() - self._started

    def is_check_due(self) -> bool:
        """Returns whether it is time to check the limits again."""
        return time.monotonic() - self._checked >= CHECK_INTERVAL_S

    def find_exceeded_limit(self, usage: Usage) -> Ending | None:
        """Returns which limit is exceeded, if any.

        Args:
            usage: What all of the program's processes use now.
        """
        now = time.monotonic()
        if not usage.is_running:
            self._idle_s += now - self._checked
        self._checked = now
        if max(self.cpu_s(), usage.cpu_s) >= self._plan.cpu_s:
            return "timeout_cpu"
        is_late = now - self._started >= MAX_WALL_FACTOR * self._plan.wall_s
        return "timeout_wall" if is_late or self._idle_s >= self._plan.wall_s else None

    def _read(self, fallback_s: float) -> float:
        try:
            return time.clock_gettime(self._clock)
        except OSError:  # the process has ended
            return fallback_s
