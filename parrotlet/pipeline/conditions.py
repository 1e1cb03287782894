"""When background work has to wait: for the user, for external power, for memory."""

import time
from pathlib import Path

import psutil

from parrotlet.pipeline.stage_runner import Pause
from server.power_supply import Battery

TYPING_PAUSE_S = 4.0  # since the last keystroke
LEAST_FREE_BYTES = 400 << 20  # below this, memory is given back
START_FREE_BYTES = 1800 << 20  # that a training needs
ON_BATTERY, WHILE_TYPING = "paused on battery", "paused while you type"
SHORT_OF_MEMORY = "paused: memory is short"


class Conditions:
    """Looks at the machine, each time that it is asked.

    Args:
        typing_file: Its time is that of the last keystroke in an editor.
        needs_power: Whether to wait while on battery; may be changed later.
        needs_quiet: Whether to wait while the user types; may be changed later.
    """

    def __init__(self, typing_file: Path, *, needs_power: bool, needs_quiet: bool) -> None:
        self._typing_file = typing_file
        self._battery = Battery()
        self.needs_power = needs_power
        self.needs_quiet = needs_quiet

    def find_pause(self, *, is_running: bool) -> Pause | None:
        """Returns why to wait; None if nothing speaks against working.

        Args:
            is_running: Whether a stage holds its memory already.
        """
        free = psutil.virtual_memory().available
        if free < (LEAST_FREE_BYTES if is_running else START_FREE_BYTES):
            return Pause(SHORT_OF_MEMORY, frees_memory=True)
        if self.needs_power and self._battery.is_discharging():
            return Pause(ON_BATTERY)
        if self.needs_quiet and self._is_user_typing():
            return Pause(WHILE_TYPING)
        return None

    def _is_user_typing(self) -> bool:
        try:
            noted = self._typing_file.stat().st_mtime
        except OSError:
            return False
        return 0 <= time.time() - noted < TYPING_PAUSE_S
