"""A circuit breaker: a server that fails again and again is left alone for a while.

Source: Nygard 2007, "Release It!": closed, open, half open.
"""

import time
from collections.abc import Callable

_FAILURES = 3  # in a row, that open it
_FIRST_WAIT_S = 5.0
_LONGEST_WAIT_S = 300.0


class Breaker:
    """Counts failures.

    Args:
        clock: Returns seconds, of a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._n_failures = 0
        self._wait_s = _FIRST_WAIT_S
        self._opened_at: float | None = None

    @property
    def left_s(self) -> float:
        """How long nothing is to be asked; 0 if something may be."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._wait_s - self._clock())

    def succeeded(self) -> None:
        """Closes it."""
        self._n_failures, self._wait_s, self._opened_at = 0, _FIRST_WAIT_S, None

    def failed(self) -> None:
        """Opens it after too many; each time it fails when tried again, for twice as long."""
        self._n_failures += 1
        if self._opened_at is not None:
            self._wait_s = min(_LONGEST_WAIT_S, 2 * self._wait_s)
        if self._n_failures >= _FAILURES:
            self._opened_at = self._clock()
