"""What the completion service is doing, as editors show it in their status bars."""

from collections.abc import Callable
from enum import StrEnum


class State(StrEnum):
    """One word for it; part of the protocol with the editors."""

    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    IDLE = "idle"
    OFF = "off"
    ERROR = "error"


class Status:
    """The state that holds, and a reason where there is more to say.

    Attributes:
        on_change: Called with each state and reason that is set, in the thread that sets it.
        on_warning: Called with each sentence that the user should read, in the same way.
    """

    def __init__(self) -> None:
        self.state = State.STARTING
        self.reason: str | None = None
        self.on_change: Callable[[State, str | None], None] = lambda _state, _reason: None
        self.on_warning: Callable[[str], None] = lambda _sentence: None

    def set(self, state: State, reason: str | None = None) -> None:
        """Changes the state and reports it."""
        self.state, self.reason = state, reason
        self.on_change(state, reason)

    def warn(self, sentence: str) -> None:
        """Reports what the user should know, whatever the state is."""
        self.on_warning(sentence)
