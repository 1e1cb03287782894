"""A circuit breaker: a server that fails several times in a row is left alone for a while.

Source: Nygard 2007, "Release It!": closed, open, half open.
"""

import time
from collections.abc import Callable

_MAX_FAILURES = 3  # in a row; then the breaker opens
_FIRST_WAIT_S = 5.0
_LONGEST_WAIT_S = 300.0


class CircuitBreaker:
    """Counts failures.

    Args:
        clock: Returns the seconds of a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._n_failures = 0
        self._wait_s = _FIRST_WAIT_S
        self._opened_at: float | None = None

    @property
    def remaining_s(self) -> float:
        """How long the breaker stays open; 0 if the next attempt may be made."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._wait_s - self._clock())

    def record_success(self) -> None:
        """Closes the breaker."""
        self._n_failures, self._wait_s, self._opened_at = 0, _FIRST_WAIT_S, None

    def record_failure(self) -> None:
        """Opens the breaker after too many failures; each further one doubles the wait."""
        self._n_failures += 1
        if self._opened_at is not None:
            self._wait_s = min(_LONGEST_WAIT_S, 2 * self._wait_s)
        if self._n_failures >= _MAX_FAILURES:
            self._opened_at = self._clock()
