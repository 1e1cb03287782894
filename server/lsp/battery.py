"""Pauses automatic suggestions while the machine runs on battery, if the user wants that."""

from server.lsp.configuration import Configuration
from server.power_supply import Battery
from server.worker.status import State, Status

PAUSED = "paused on battery"


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
