"""From generated text to the suggestion that is shown: decoding, rules, confidence, attribution.

Pure functions that the completer calls after a back end has generated.
"""

import codecs
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

from server.engine.generation_request import FinishReason, GeneratedSequence, GenerationResult
from server.suggestion.confidence import (
    UNSURE,
    Calibration,
    confidence,
    discount_unknown_names,
    first_line_log_prob,
    needed_for_part,
)
from server.suggestion.confident_part import list_confident_parts
from server.suggestion.cursor_context import CursorContext
from server.suggestion.explanation import CONFIDENT_PART
from server.suggestion.result import CompletionResult, Suggestion
from server.suggestion.rules.order import apply_rules
from server.syntax.unknown_names import unknown_names
from training.artifact.code_reference import CodeReference

_NOT_SHOWN = {FinishReason.CANCELLED, FinishReason.LOW_CONFIDENCE}


def build_result(
    generated: GenerationResult,
    cursor: CursorContext,
    *,
    calibration: Calibration | None,
    needed_confidence: float,
    started: float,
) -> CompletionResult:
    """Returns what is shown of a generation's first sequence.

    Args:
        generated: At least one sequence.
        cursor: Where it is to be inserted.
        calibration: The model's.
        needed_confidence: Below it, nothing is shown.
        started: When work on the request began, by ``time.perf_counter()``.
    """
    sequence = generated.sequences[0]
    suggestion, n_unknown = _assess(sequence, cursor, calibration, needed_confidence)
    reason: str | None = None
    if not suggestion.text and sequence.finish_reason is not FinishReason.LOW_CONFIDENCE:
        reason = suggestion.rules[-1] if suggestion.rules else str(sequence.finish_reason)
    elif not suggestion.text or suggestion.confidence < needed_confidence:
        part = _find_part(sequence, cursor, calibration, needed_confidence)
        if part is None:
            suggestion, reason = replace(suggestion, text="", covered=0, rules=()), UNSURE
        else:
            suggestion, n_unknown = part, 0
    if suggestion.text:
        suggestion = replace(suggestion, known_from=generated.known_from)
    return CompletionResult(
        suggestion=suggestion,
        reason=reason,
        extent=cursor.scope.extent,
        n_unknown_names=n_unknown,
        usage=generated.usage,
        total_ms=1000 * (time.perf_counter() - started),
    )


def _assess(
    sequence: GeneratedSequence,
    cursor: CursorContext,
    calibration: Calibration | None,
    needed_confidence: float,
) -> tuple[Suggestion, int]:
    """Returns what the rules leave of a sequence, and how many unknown names count against it."""
    suggestion, n_unknown = to_suggestion(sequence, cursor), 0
    if sequence.text:
        log_prob, sure = assess_line(sequence, calibration)
        suggestion = replace(suggestion, log_prob=log_prob, confidence=sure)
    if suggestion.text and suggestion.confidence >= needed_confidence:
        n_unknown = len(_unknown_names(suggestion, cursor))
        sure = discount_unknown_names(suggestion.confidence, n_unknown)
        suggestion = replace(suggestion, confidence=sure)
    return suggestion, n_unknown


def _find_part(
    sequence: GeneratedSequence,
    cursor: CursorContext,
    calibration: Calibration | None,
    needed_confidence: float,
) -> Suggestion | None:
    """Returns the longest part of a line that is likely enough and fits as it is, if any."""
    needed = needed_for_part(needed_confidence)
    parts = list_confident_parts(sequence, lambda x: confidence(x, calibration) >= needed)
    for part in parts:
        suggestion, n_unknown = _assess(part, cursor, calibration, needed)
        if suggestion.text and suggestion.text == decode(part.text) and not n_unknown:
            return replace(suggestion, rules=(*suggestion.rules, CONFIDENT_PART))
    return None


def to_suggestion(sequence: GeneratedSequence, cursor: CursorContext) -> Suggestion:
    """Returns what the rules leave of one sequence."""
    if sequence.finish_reason in _NOT_SHOWN or not sequence.text:
        return Suggestion()
    is_whole = sequence.finish_reason is not FinishReason.MAX_TOKENS
    return apply_rules(Suggestion(text=decode(sequence.text), is_whole=is_whole), cursor)


def assess_line(
    sequence: GeneratedSequence, calibration: Calibration | None
) -> tuple[float, float]:
    """Returns the log-probability of the first line so far, and the confidence in it."""
    log_prob = first_line_log_prob(sequence.text, sequence.ends, sequence.log_probs)
    return log_prob, confidence(log_prob, calibration)


def attribute(
    suggestion: Suggestion, source: CodeReference | None, *, is_blocked: bool
) -> Suggestion:
    """Returns a suggestion that says which training document it repeats; without text if blocked.

    Args:
        suggestion: Has a text.
        source: The document; None if it repeats none.
        is_blocked: Whether the user wants no such suggestions.
    """
    if source is None:
        return suggestion
    return replace(suggestion, source=source, text="" if is_blocked else suggestion.text)


def add_alternatives(
    result: CompletionResult,
    drawn: Sequence[Suggestion],
    n_wanted: int,
    attribute_one: Callable[[Suggestion], Suggestion],
) -> CompletionResult:
    """Adds those of the drawn suggestions that differ, the most frequent first.

    Args:
        result: Shows the best suggestion.
        drawn: Several may be equal.
        n_wanted: How many to show in all.
        attribute_one: Called for each that may be shown, which the next one replaces if it has no
            text any more.
    """
    groups: dict[tuple[str, int], list[Suggestion]] = {}
    for suggestion in drawn:
        if suggestion.text and suggestion.text != result.suggestion.text:
            groups.setdefault((suggestion.text, suggestion.covered), []).append(suggestion)
    ranked = sorted(groups.values(), key=len, reverse=True)
    attributed = (attribute_one(group[0]) for group in ranked)
    shown = islice((suggestion for suggestion in attributed if suggestion.text), n_wanted - 1)
    return replace(result, alternatives=tuple(shown))


def decode(text: bytes) -> str:
    """Decodes UTF-8; a character that is cut off at the end is left out."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    return decoder.decode(text, final=False)


def _unknown_names(suggestion: Suggestion, cursor: CursorContext) -> list[str]:
    return unknown_names(
        cursor.before,
        suggestion.text,
        cursor.after,
        is_known_elsewhere=cursor.is_known_elsewhere,
    )
