"""Whether the machine runs on its battery, asked for at most now and then."""

import time

import psutil

_SECONDS = 20.0


class Power:
    """The machine's supply, as it was a moment ago."""

    def __init__(self) -> None:
        self._asked_at = float("-inf")
        self._is_on_battery = False

    def is_on_battery(self) -> bool:
        """Says whether there is a battery and no mains."""
        now = time.monotonic()
        if now - self._asked_at >= _SECONDS:
            self._asked_at = now
            self._is_on_battery = _is_unplugged()
        return self._is_on_battery


def _is_unplugged() -> bool:
    try:
        battery = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError):  # this system does not tell
        return False
    return battery is not None and battery.power_plugged is False
