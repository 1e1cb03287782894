"""A program's clocks: processor time, and the time in which it did nothing.

Neither runs faster on a loaded machine: a process that waits for a processor is not idle. A program
is stopped when it has used up the one or the other, and after several times the latter in any case.
"""

import time

from evaluation.judge.inside.plan import MOST_WALLS, Plan
from evaluation.judge.inside.processes.process_usage import Use

LOOK_EVERY_S = 0.05
_PROCESSOR_TIME = 2  # in a process' clock id, see clock_getcpuclockid(3)


class Clocks:
    """Of one program, from now on."""

    def __init__(self, pid: int, plan: Plan) -> None:
        self._plan = plan
        self._clock = (~pid << 3) | _PROCESSOR_TIME
        self._before_s = self._last_s = self._read(0.0)
        self._started = self._looked = time.monotonic()
        self._idle_s = 0.0

    def cpu_s(self) -> float:
        """Returns the processor time of the program's first process, in seconds."""
        self._last_s = self._read(self._last_s)
        return self._last_s - self._before_s

    def wall_s(self) -> float:
        """Returns the seconds since the start."""
        return time.monotonic() - self._started

    def is_time_to_look(self) -> bool:
        """Says whether it is as long ago as it should be that the limits were looked at."""
        return time.monotonic() - self._looked >= LOOK_EVERY_S

    def limit_reached(self, use: Use) -> str | None:
        """Says which limit is reached, if any.

        Args:
            use: What all of the program's processes are seen to use now.
        """
        now = time.monotonic()
        if not use.is_running:
            self._idle_s += now - self._looked
        self._looked = now
        if max(self.cpu_s(), use.cpu_s) >= self._plan.cpu_s:
            return "timeout_cpu"
        is_late = now - self._started >= MOST_WALLS * self._plan.wall_s
        return "timeout_wall" if is_late or self._idle_s >= self._plan.wall_s else None

    def _read(self, otherwise: float) -> float:
        try:
            return time.clock_gettime(self._clock)
        except OSError:  # the process has ended
            return otherwise
