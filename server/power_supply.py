"""Whether the machine runs on battery."""

import time

import psutil

_CHECK_INTERVAL_S = 20.0


class Battery:
    """Whether the machine runs on battery, checked every few seconds at most."""

    def __init__(self) -> None:
        self._checked_at = float("-inf")
        self._is_discharging = False

    def is_discharging(self) -> bool:
        """Returns whether there is a battery and no external power."""
        now = time.monotonic()
        if now - self._checked_at >= _CHECK_INTERVAL_S:
            self._checked_at = now
            self._is_discharging = _is_unplugged()
        return self._is_discharging


def _is_unplugged() -> bool:
    try:
        battery = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError):  # unknown on this system
        return False
    return battery is not None and battery.power_plugged is False
