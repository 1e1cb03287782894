"""What the completer shows at a place, unasked and on request, and how that is recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

from evaluation.insertions.judgement import Judgement, judge
from evaluation.insertions.places import Place
from evaluation.runs.record_fields import get_field, get_optional_field, get_texts
from server.completer import Completer
from server.suggestion.request import CompletionRequest


class Trigger(StrEnum):
    """How a suggestion was requested."""

    UNASKED = "unasked"  # while typing
    ON_REQUEST = "on request"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was shown at a place.

    Attributes:
        place: The place.
        trigger: How it was requested.
        text: The suggestion; empty if nothing was shown.
        covered: How many characters after the cursor it replaces.
        confidence: Of its first line.
        rules: The names of the rules that changed it.
        reason: Why nothing was shown.
    """

    place: Place
    trigger: Trigger
    text: str
    covered: int
    confidence: float
    rules: tuple[str, ...]
    reason: str | None

    @cached_property
    def judgement(self) -> Judgement | None:
        """What inserting it does; None if nothing was shown."""
        return judge(self.place, self.text, self.covered) if self.text else None

    def to_json(self) -> dict[str, object]:
        """Returns the line of ``answers.jsonl``."""
        return {
            "id": self.place.id,
            "kind": self.place.label,
            "trigger": self.trigger,
            "text": self.text,
            "covered": self.covered,
            "confidence": round(self.confidence, 4),
            "rules": list(self.rules),
            "reason": self.reason,
            "line": place_line(self.place),
            "target": self.place.target,
            "judgement": None if self.judgement is None else vars(self.judgement),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any], place: Place) -> Self:
        """Reads what :meth:`to_json` wrote of this place; it is judged anew."""
        return cls(
            place=place,
            trigger=Trigger(get_field(record, "trigger", str)),
            text=get_field(record, "text", str),
            covered=get_field(record, "covered", int),
            confidence=get_field(record, "confidence", float),
            rules=get_texts(record, "rules"),
            reason=get_optional_field(record, "reason", str),
        )


def request_answer(completer: Completer, place: Place, trigger: Trigger) -> Answer:
    """Asks for a suggestion at a place."""
    request = CompletionRequest(
        text=place.text,
        offset=len(place.prefix),
        is_asked_for=trigger is Trigger.ON_REQUEST,
    )
    result = completer.complete(request)
    shown = result.suggestion
    return Answer(
        place=place,
        trigger=trigger,
        text=shown.text,
        covered=shown.covered,
        confidence=shown.confidence,
        rules=shown.rules,
        reason=result.reason,
    )


def place_line(place: Place) -> str:
    """Returns the cursor's line with ``|`` at the cursor."""
    head, tail = place.prefix.rpartition("\n")[2], place.suffix.partition("\n")[0]
    return f"{head}|{tail}"
