"""How long to wait for the next keystroke before the model is asked.

Where a suggestion is ready before the next keystroke, waiting would only delay it. The longer
suggestions take, the more of them are superseded before they are done, and the longer it pays to
wait.
"""

_FAST_MS = 60.0  # well below the time between two keystrokes
_WAIT_SHARE = 0.5  # of the time that a suggestion takes
_NEWEST_WEIGHT = 0.25  # in the moving average


class Debounce:
    """Adapts the wait to the time that suggestions take."""

    def __init__(self) -> None:
        self._mean_ms = 0.0

    def record(self, ms: float) -> None:
        """Records how long a suggestion took, from the start of its computation."""
        self._mean_ms += _NEWEST_WEIGHT * (ms - self._mean_ms)

    def wait_s(self, *, longest_ms: float, quiet_s: float = 0.0) -> float:
        """Returns how much longer to wait before the next suggestion is computed.

        Args:
            longest_ms: The longest wait.
            quiet_s: How long ago the last keystroke was.
        """
        if self._mean_ms <= _FAST_MS:
            return 0.0
        return max(0.0, min(longest_ms, _WAIT_SHARE * self._mean_ms) / 1000 - quiet_s)
