"""How long to wait for the next key before a suggestion is begun.

Where one is ready sooner than the next key comes, waiting would only delay it. The longer they
take, the more of them a newer key makes useless, and the longer it pays to wait.
"""

_SOON_MS = 60.0  # well below the time between two keys
_SHARE = 0.5  # of what a suggestion takes
_NEWEST = 0.25  # the weight of the newest in the mean


class Debounce:
    """Learns from what suggestions take."""

    def __init__(self) -> None:
        self._mean_ms = 0.0

    def took(self, ms: float) -> None:
        """Takes down how long a suggestion took, from its beginning."""
        self._mean_ms += _NEWEST * (ms - self._mean_ms)

    def seconds(self, *, most_ms: float, quiet_s: float = 0.0) -> float:
        """Returns how much longer to wait before the next, in seconds.

        Args:
            most_ms: The longest wait.
            quiet_s: How long no key has come already.
        """
        if self._mean_ms <= _SOON_MS:
            return 0.0
        return max(0.0, min(most_ms, _SHARE * self._mean_ms) / 1000 - quiet_s)
