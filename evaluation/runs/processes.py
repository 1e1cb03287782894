"""The processes that ``accelerate launch`` started, or this single one.

Each generates its share of a run's samples; the main process alone judges and reports.
"""

import os
from datetime import timedelta
from typing import Any, Self

LONGEST_WAIT = timedelta(days=7)  # for the slowest process to finish its samples


class Processes:
    """Which of how many processes this is, and a barrier for them all.

    Args:
        is_cpu: Whether no process uses a GPU, even if there is one.
    """

    def __init__(self, *, is_cpu: bool = False) -> None:
        self._state: Any = None
        self.index, self.n = 0, int(os.environ.get("WORLD_SIZE", "1"))
        if self.n > 1:
            import torch  # noqa: PLC0415 - judging alone needs no torch
            from accelerate import PartialState  # noqa: PLC0415 - nor this

            is_cpu = is_cpu or not torch.accelerator.is_available()
            self._state = PartialState(cpu=is_cpu, timeout=LONGEST_WAIT)
            self.index, self.n = self._state.process_index, self._state.num_processes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_main(self) -> bool:
        """Whether this process judges and reports."""
        return self.index == 0

    def wait(self) -> None:
        """Waits until every process has called this."""
        if self._state is not None:
            self._state.wait_for_everyone()

    def close(self) -> None:
        """Leaves the process group."""
        if self._state is not None:
            self._state.destroy_process_group()
