"""What happens in a typing session, one event a record; ``sessions.jsonl`` holds them.

Every event says when it happened, what had been typed by then, and what suggestion was visible.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class SessionEvent:
    """Something that happened in a session.

    Attributes:
        at_s: Seconds since the session began.
        typed: What had been typed, up to the cursor.
        ghost: The suggestion that was visible; None if there was none.
    """

    name: ClassVar[str]

    at_s: float
    typed: str
    ghost: str | None

    def to_json(self) -> dict[str, object]:
        """Returns the record of ``sessions.jsonl``."""
        return {"at": self.at_s, "event": self.name, "now": self.typed, "ghost": self.ghost}


@dataclass(frozen=True, kw_only=True)
class CursorJumped(SessionEvent):
    """The typist looked elsewhere in the file and came back."""

    name: ClassVar[str] = "jump"


@dataclass(frozen=True, kw_only=True)
class KeyPressed(SessionEvent):
    """A key was pressed; ``text`` is the character, if it types one."""

    name: ClassVar[str] = "key"

    key: str
    text: str

    def to_json(self) -> dict[str, object]:
        """Returns the record of ``sessions.jsonl``."""
        return {**super().to_json(), "key": self.key, "text": self.text}


@dataclass(frozen=True, kw_only=True)
class SuggestionAccepted(SessionEvent):
    """A suggestion was accepted: all of it, or its first line."""

    name: ClassVar[str] = "accept"

    text: str
    is_whole: bool

    def to_json(self) -> dict[str, object]:
        """Returns the record of ``sessions.jsonl``."""
        return {**super().to_json(), "text": self.text, "is_whole": self.is_whole}


@dataclass(frozen=True, kw_only=True)
class AnswerReceived(SessionEvent):
    """The server answered a request.

    Attributes:
        latency_ms: From the change to the answer.
        late_ms: From the change that superseded the request to its answer; None if none did.
        n_items: How many suggestions the answer has.
    """

    name: ClassVar[str] = "answer"

    latency_ms: float
    late_ms: float | None
    n_items: int

    def to_json(self) -> dict[str, object]:
        """Returns the record of ``sessions.jsonl``."""
        return {
            **super().to_json(),
            "ms": self.latency_ms,
            "late_ms": self.late_ms,
            "n_items": self.n_items,
        }


@dataclass(frozen=True, kw_only=True)
class SuggestionShown(SessionEvent):
    """A suggestion became visible.

    Attributes:
        text: From the cursor on.
        is_new: Whether another text was visible before.
        is_right: Whether its first line is what the typist is about to write, up to the end of a
            word or of the line.
        is_whole_line: Whether it is all that the typist is about to write in the line.
        is_on_way: Whether what is typed so far is free of typos.
    """

    name: ClassVar[str] = "shown"

    text: str
    is_new: bool
    is_right: bool
    is_whole_line: bool
    is_on_way: bool

    def to_json(self) -> dict[str, object]:
        """Returns the record of ``sessions.jsonl``."""
        return {
            **super().to_json(),
            "text": self.text,
            "is_new": self.is_new,
            "is_right": self.is_right,
            "is_whole_line": self.is_whole_line,
            "is_on_way": self.is_on_way,
        }
