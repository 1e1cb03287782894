"""Notices that a process neither answers nor exits: it is stopped, or has lost its way.

A process that owes an answer is asked every second whether it still works. One that says nothing at
all is frozen; one whose thread for messages answers, while the thread that computes makes no step,
is in a loop. While the process owes nothing, nobody wakes up.
"""

import threading
import time
from collections.abc import Callable

from server.worker.messages import (
    CheckHealth,
    CheckProgress,
    Complete,
    Downloading,
    Load,
    LoadFailed,
    Message,
    Progress,
    Ready,
)

TICK_S = 1.0
FROZEN_S = 5.0  # without a word
FROZEN_LOADING_S = 60.0  # the import of large libraries lets no other thread run
LOOPING_S = 60.0  # without a step: a large model on a slow machine takes its time, too

FROZEN = "stopped responding"
LOOPING = "made no progress"


class Watchdog:
    """Watches one process, in a thread of its own.

    Args:
        ask: Sends a message to the process.
        on_failure: Called once, with how the process fails.
    """

    def __init__(
        self, ask: Callable[[CheckProgress], None], on_failure: Callable[[str], None]
    ) -> None:
        self._ask = ask
        self._on_failure = on_failure
        self._change = threading.Condition()
        self._n_owed = 0
        self._is_loading = False
        self._is_closed = False
        self._has_spoken = True
        self._stalled_s = 0.0
        threading.Thread(target=self._watch, name="worker watchdog", daemon=True).start()

    def note_sent(self, message: Message) -> None:
        """Takes note of a message to the process."""
        with self._change:
            if isinstance(message, Load | Complete | CheckHealth):
                self._n_owed += 1
                self._is_loading |= isinstance(message, Load)
                self._change.notify()

    def note_received(self, message: Message) -> None:
        """Takes note of a message from the process."""
        with self._change:
            self._has_spoken = True
            if isinstance(message, Progress):
                self._stalled_s = message.stalled_s
            elif not isinstance(message, Downloading):
                self._n_owed = max(0, self._n_owed - 1)
                self._stalled_s = 0.0
                self._is_loading &= not isinstance(message, Ready | LoadFailed)

    def close(self) -> None:
        """Ends the watch."""
        with self._change:
            self._is_closed = True
            self._change.notify()

    def _watch(self) -> None:
        silent_s = 0.0
        while self._wait_for_debt():
            with self._change:
                self._has_spoken = False
            self._ask(CheckProgress())
            started = time.monotonic()
            with self._change:
                self._change.wait_for(lambda: self._is_closed, TICK_S)
                passed_s = time.monotonic() - started
                # A machine that slept, or has no time for us, has none for the process either
                silent_s = 0.0 if self._has_spoken or passed_s > 2 * TICK_S else silent_s + passed_s
                failure = self._find_failure(silent_s)
            if failure is not None:
                self._on_failure(failure)
                return

    def _wait_for_debt(self) -> bool:
        """Waits until the process owes an answer; returns false once the watch has ended."""
        with self._change:
            self._change.wait_for(lambda: self._is_closed or self._n_owed > 0)
            return not self._is_closed

    def _find_failure(self, silent_s: float) -> str | None:
        if self._is_closed or not self._n_owed:
            return None
        if silent_s >= (FROZEN_LOADING_S if self._is_loading else FROZEN_S):
            return FROZEN
        return LOOPING if self._stalled_s >= LOOPING_S else None
