"""The processes that ``accelerate launch`` started, or this one alone."""

import os
from datetime import timedelta
from typing import Any

LONGEST_WAIT = timedelta(days=7)  # for the slowest process to have written its samples


class Processes:
    """Which of how many processes this is, and a place to wait for the others."""

    def __init__(self) -> None:
        self._state: Any = None
        self.index, self.n = 0, int(os.environ.get("WORLD_SIZE", "1"))
        if self.n > 1:
            import torch  # noqa: PLC0415 - judging alone needs no torch
            from accelerate import PartialState  # noqa: PLC0415 - nor this

            is_cpu = not torch.accelerator.is_available()
            self._state = PartialState(cpu=is_cpu, timeout=LONGEST_WAIT)
            self.index, self.n = self._state.process_index, self._state.num_processes

    @property
    def is_main(self) -> bool:
        """Whether this is the one that judges."""
        return self.index == 0

    def wait(self) -> None:
        """Returns when all have come here."""
        if self._state is not None:
            self._state.wait_for_everyone()

    def close(self) -> None:
        """Parts from the others."""
        if self._state is not None:
            self._state.destroy_process_group()
