"""From what was written to what is shown: decoded, trimmed by the rules, and how sure one may be.

Called by the completer, which has it written.
"""

import codecs
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from server.engine.generation_request import Decoding, Ending, Written
from server.prompt.window import Window
from server.suggestion.confidence import (
    UNSURE,
    Calibration,
    confidence,
    first_line_log_prob,
    with_unknown_names,
)
from server.suggestion.extent import Scope
from server.suggestion.request import Alternative, CompletionResult
from server.suggestion.rules import Suggestion, Surroundings, refine
from server.syntax.grammar_check import Fitter
from server.syntax.unknown_names import unknown_names

_MOST_BEHIND = 8_000  # characters behind the cursor that the rules look at


@dataclass(frozen=True, kw_only=True)
class Place:
    """A request's place: what is seen of it, how far a suggestion goes, what stands around.

    ``before`` and ``behind`` are the document's whole text around the cursor.
    """

    window: Window
    scope: Scope
    before: str
    behind: str
    knows_name: Callable[[str], bool]  # whether another file has it

    @cached_property
    def around(self) -> Surroundings:
        """What the rules look at."""
        behind = self.behind[:_MOST_BEHIND]
        fitter = Fitter.at(self.before, behind)
        return Surroundings.of(self.window.prefix, behind, self.scope, fitter)


def result_of(
    outcome: Decoding,
    place: Place,
    *,
    calibration: Calibration | None,
    least: float,
    started: float,
) -> CompletionResult:
    """Returns what is shown of an outcome.

    Args:
        outcome: Its first continuation counts.
        place: Where.
        calibration: Of whoever wrote it.
        least: The confidence below which nothing is shown.
        started: ``time.perf_counter()`` when the request came.
    """
    written = outcome.written[0]
    shown = shown_of(written, place)
    reason = None if shown.text else _reason(written, shown)
    log_prob, sure = 0.0, 0.0
    if written.text:
        log_prob, sure = sureness(written, calibration)
    unknown: list[str] = []
    if shown.text and sure >= least:
        unknown = _unknown(shown, place)
        sure = with_unknown_names(sure, len(unknown))
    if shown.text and sure < least:
        shown, reason = Suggestion(text=""), UNSURE
    first_token_ms = None if outcome.first_token_s is None else 1000 * outcome.first_token_s
    return CompletionResult(
        text=shown.text,
        covered=shown.covered,
        reason=reason,
        rules=shown.rules,
        extent=place.scope.extent,
        prompt_tokens=outcome.prompt_tokens,
        reused_tokens=outcome.reused_tokens,
        computed_tokens=outcome.computed_tokens,
        new_tokens=outcome.new_tokens,
        first_token_ms=first_token_ms,
        total_ms=1000 * (time.perf_counter() - started),
        log_prob=log_prob,
        confidence=sure,
        n_unknown_names=len(unknown),
    )


def sureness(written: Written, calibration: Calibration | None) -> tuple[float, float]:
    """Returns the log-probability of the first line so far, and how sure one may be of it."""
    log_prob = first_line_log_prob(written.text, written.ends, written.log_probs)
    return log_prob, confidence(log_prob, calibration)


def with_others(
    result: CompletionResult, drawn: Sequence[Suggestion], n_wanted: int
) -> CompletionResult:
    """Adds what was drawn and differs, the most often drawn first."""
    counts = Counter((s.text, s.covered) for s in drawn if s.text and s.text != result.text)
    most = counts.most_common(n_wanted - 1)
    return replace(
        result, others=tuple(Alternative(text=text, covered=covered) for (text, covered), _ in most)
    )


def shown_of(written: Written, place: Place) -> Suggestion:
    """Returns what the rules leave of one continuation."""
    if written.ending in {Ending.CANCELLED, Ending.HOPELESS} or not written.text:
        return Suggestion(text="")
    is_whole = written.ending is not Ending.MAX_TOKENS
    return refine(Suggestion(text=decoded(written.text), is_whole=is_whole), place.around)


def decoded(text: bytes) -> str:
    """Decodes what may end in the middle of a character, which is then left out."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    return decoder.decode(text, final=False)


def _unknown(shown: Suggestion, place: Place) -> list[str]:
    return unknown_names(
        place.before, shown.text, place.behind, is_known_elsewhere=place.knows_name
    )


def _reason(written: Written, shown: Suggestion) -> str:
    if shown.rules:
        return shown.rules[-1]
    return str(written.ending)
