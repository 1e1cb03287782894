"""One event for each request: how it ended, with figures, without any of the user's text.

Only the reason of a failure may quote a remote server; the log has it without. For programs and
bug reports; :mod:`server.suggestion.explanation` puts it into sentences and
:mod:`server.worker.events` writes it to the event log, whose keys are these fields.
"""

import dataclasses
import time
from dataclasses import dataclass
from enum import StrEnum

from server.suggestion.confidence import UNSURE, Eagerness
from server.suggestion.extent import Extent
from server.suggestion.result import CompletionResult
from training.artifact.code_reference import CodeReference


class Stage(StrEnum):
    """Where a request ended; or that it has not."""

    SHOWN = "shown"
    TYPED_THROUGH = "typed through"
    MODEL = "model"
    RULES = "rules"
    CONFIDENCE = "confidence"
    CANCELLED = "cancelled"
    WITHHELD = "withheld"
    WAITING = "waiting"
    FAILED = "failed"

    @classmethod
    def of(cls, result: CompletionResult, *, is_cancelled: bool) -> "Stage":
        """Returns the stage at which the worker ended a request."""
        if is_cancelled:
            return cls.CANCELLED
        if result.suggestion.text:
            return cls.TYPED_THROUGH if result.is_rest else cls.SHOWN
        if result.reason == UNSURE:
            return cls.CONFIDENCE
        return cls.RULES if result.suggestion.rules else cls.MODEL


@dataclass(frozen=True, kw_only=True)
class CompletionEvent:
    """How a request ended.

    Attributes:
        time: In seconds since the epoch.
        request: Its number since the log was opened, from 1.
        needed_confidence: How confident the model had to be, between 0 and 1.
        eagerness: The setting that demanded it.
        known_from: The file of the workspace that made the suggestion likely, if any.
        reread: Why much of the prompt was not in the cache; None if it was.
    """

    time: float
    request: int
    stage: Stage
    reason: str | None
    rules: tuple[str, ...]
    extent: Extent
    prompt_tokens: int
    reused_tokens: int
    computed_tokens: int
    new_tokens: int
    reread: str | None
    log_prob: float
    confidence: float
    needed_confidence: float
    eagerness: Eagerness
    source: CodeReference | None
    known_from: str | None
    first_token_ms: float | None
    total_ms: float

    @classmethod
    def of(
        cls,
        stage: Stage,
        result: CompletionResult,
        *,
        request: int,
        eagerness: Eagerness,
        needed_confidence: float,
    ) -> "CompletionEvent":
        """Returns the event of a result, at this moment."""
        suggestion, usage = result.suggestion, result.usage
        first_token_ms = usage.first_token_ms
        return cls(
            time=round(time.time(), 3),
            request=request,
            stage=stage,
            reason=result.reason,
            rules=suggestion.rules,
            extent=result.extent,
            prompt_tokens=usage.prompt_tokens,
            reused_tokens=usage.reused_tokens,
            computed_tokens=usage.computed_tokens,
            new_tokens=usage.new_tokens,
            reread=usage.reread,
            log_prob=round(suggestion.log_prob, 2),
            confidence=round(suggestion.confidence, 4),
            needed_confidence=needed_confidence,
            eagerness=eagerness,
            source=suggestion.source,
            known_from=suggestion.known_from if suggestion.text else None,
            first_token_ms=None if first_token_ms is None else round(first_token_ms, 2),
            total_ms=round(result.total_ms, 2),
        )

    def to_json(self) -> dict[str, object]:
        """Returns the event as ``parrotlet.explain`` has it."""
        values = dataclasses.asdict(self)
        return {**values, "rules": list(self.rules)}

    def to_log(self) -> dict[str, object]:
        """Returns the event as the log has it: it names no file of the user."""
        return {**self.to_json(), "known_from": self.known_from is not None}
