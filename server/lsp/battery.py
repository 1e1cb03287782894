"""Pauses automatic suggestions while the machine runs on battery, if the user wants that."""

import time

import psutil

from server.lsp.configuration import Configuration
from server.worker.status import State, Status

PAUSED = "paused on battery"

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


class BatteryPause:
    """Decides whether automatic suggestions are paused, and reports when that changes."""

    def __init__(self, configuration: Configuration, status: Status) -> None:
        self._configuration = configuration
        self._status = status
        self._battery = Battery()

    def is_active(self) -> bool:
        """Returns whether automatic suggestions are paused now."""
        wants_pause = self._configuration.settings.pause_on_battery
        is_active = wants_pause and self._battery.is_discharging()
        was_active = self._status.state is State.OFF
        if is_active != was_active and self._status.state not in {State.STARTING, State.ERROR}:
            if is_active:
                self._status.set(State.OFF, PAUSED)
            else:
                self._status.set(State.IDLE)
        return is_active


def _is_unplugged() -> bool:
    try:
        battery = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError):  # unknown on this system
        return False
    return battery is not None and battery.power_plugged is False
