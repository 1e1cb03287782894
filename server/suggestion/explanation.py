"""How a request ended, in sentences that editors show as they are.

A request's event (:mod:`server.suggestion.event`) is for programs: it names stages, rules and
reasons. Here each of these has its sentence; a test checks the tables against everything that the
code can produce. Called by ``lsp`` for ``parrotlet.explain``, and by the command line.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from server.engine.generation_request import FinishReason
from server.suggestion.confidence import UNSURE
from server.suggestion.event import CompletionEvent, Stage

SUPERSEDED = "superseded before it began"
NO_MODEL = "no model"
ATTRIBUTED = "repeats the training corpus"
PRIVATE = "private file"
ON_BATTERY = "on battery"
NOT_OPEN = "not open"
UNKNOWN_TEXT = "unknown text"
STALE = "stale"
ELSEWHERE = "not requested here"
LOADING = "loading the model"
COMPUTING = "computing"

CONFIDENT_PART = "confident_part"  # in the place of a rule's name: the line goes on, unsurely

NOTHING = "The model had nothing to suggest here."
_CANCELLED = "Cancelled: replaced by a newer request or edit."

REASONS: Mapping[str, str] = {
    FinishReason.END_OF_TEXT: NOTHING,
    FinishReason.COMPLETE: NOTHING,
    FinishReason.MAX_TOKENS: "The model reached its length limit before it suggested anything.",
    FinishReason.CANCELLED: _CANCELLED,
    SUPERSEDED: _CANCELLED,
    NO_MODEL: "No model is loaded.",
    ATTRIBUTED: "Discarded: it repeats the training corpus word for word.",
    PRIVATE: "Private file: Parrotlet makes no suggestions in files that may hold secrets.",
    ON_BATTERY: "Paused: automatic suggestions are off while running on battery.",
    NOT_OPEN: "This file is not open in the server.",
    UNKNOWN_TEXT: "The text is unknown after an invalid change. Close and reopen the file.",
    STALE: _CANCELLED,
    ELSEWHERE: "No suggestion was requested at this position.",
    LOADING: "Not yet: the model is still being loaded.",
    COMPUTING: "Not yet: the suggestion is still being computed.",
}


@dataclass(frozen=True, kw_only=True)
class RuleSentences:
    """What is shown about a rule: where it left nothing, and where it changed something."""

    discarded: str
    adjusted: str


RULES: Mapping[str, RuleSentences] = {
    "end_of_scope": RuleSentences(
        discarded="Discarded: it did not belong to the line or block at the cursor.",
        adjusted="Ended at the end of the line or block.",
    ),
    "unfinished_line": RuleSentences(
        discarded="Discarded: it was cut off at the length limit.",
        adjusted="Removed the last line or word, which was incomplete.",
    ),
    "broken_character": RuleSentences(
        discarded="Discarded: it began with an invalid character.",
        adjusted="Ended before an invalid character.",
    ),
    "trailing_space": RuleSentences(
        discarded="Discarded: it contained only whitespace.",
        adjusted="Removed trailing whitespace.",
    ),
    "indentation": RuleSentences(
        discarded="Discarded: it contained only indentation.",
        adjusted="Adapted the indentation to the file's tabs or spaces.",
    ),
    "loop": RuleSentences(
        discarded="Discarded: the suggestion repeated itself.",
        adjusted="Ended before it repeated itself.",
    ),
    "stands_behind": RuleSentences(
        discarded="Discarded: the same text already follows the cursor.",
        adjusted="Removed text that already follows the cursor.",
    ),
    "repeats_behind": RuleSentences(
        discarded="Discarded: it began with the code that already follows the cursor.",
        adjusted="Removed code that already follows the cursor.",
    ),
    "copies_above": RuleSentences(
        discarded="Discarded: it copied the lines above.",
        adjusted="Removed a copy of the lines above.",
    ),
    "repeats_above": RuleSentences(
        discarded="Discarded: it repeated the line above.",
        adjusted="Removed a copy of the line above.",
    ),
    "repeats_below": RuleSentences(
        discarded="Discarded: it repeated the lines below.",
        adjusted="Ended before a copy of the lines below.",
    ),
    "looks_like_a_secret": RuleSentences(
        discarded="Discarded: it looked like a password or an access key.",
        adjusted="Removed what looked like a password or an access key.",
    ),
    "covers_closers": RuleSentences(
        discarded="Discarded: only closing brackets or quotes were left.",
        adjusted="Replaces the closing brackets or quotes that follow the cursor.",
    ),
    "closes_brackets": RuleSentences(
        discarded="Discarded: only closing brackets were left.",
        adjusted="Closed open brackets.",
    ),
    "unfitting": RuleSentences(
        discarded="Discarded: it would not be valid Python here.",
        adjusted="Shortened to what is valid Python here.",
    ),
    "inside_name": RuleSentences(
        discarded="Discarded: the cursor is inside a name that it would not complete.",
        adjusted="Removed what did not complete the name at the cursor.",
    ),
    "trivial": RuleSentences(
        discarded="Discarded: it was so short that it is quicker to type.",
        adjusted="Removed what is quicker to type.",
    ),
}


_ADJUSTED: Mapping[str, str] = {
    **{name: sentences.adjusted for name, sentences in RULES.items()},
    CONFIDENT_PART: "Ended where the model was no longer confident enough.",
}


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What an editor shows about a request.

    Attributes:
        summary: How it ended, as one sentence.
        adjustments: A sentence for each rule that changed the suggestion and left something of it.
        attribution: Whose text the suggestion repeats, as a sentence; None if nobody's.
        report: All of it and the figures, as rows of a label and a text.
    """

    summary: str
    adjustments: tuple[str, ...]
    attribution: str | None
    report: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, event: CompletionEvent) -> "Explanation":
        """Returns the explanation of an event."""
        summary, adjustments = _summary(event), _adjustments(event)
        attribution = None if event.source is None else event.source.sentence
        rows = [
            ("Result", summary),
            ("Adjustments", " ".join(adjustments)),
            ("Source", attribution or ""),
            ("Workspace", f"Follows code in {event.known_from}." if event.known_from else ""),
            ("Duration", f"{event.total_ms:.0f} ms"),
            ("Confidence", _percentage(event.confidence) if event.confidence > 0 else ""),
            ("Length", str(event.extent)),
            (
                "Prompt",
                f"{event.prompt_tokens} tokens, {event.reused_tokens} of them from the cache",
            ),
            ("Generated", f"{event.new_tokens} {'token' if event.new_tokens == 1 else 'tokens'}"),
        ]
        return cls(
            summary=summary,
            adjustments=adjustments,
            attribution=attribution,
            report=tuple((label, text) for label, text in rows if text),
        )


def reason_sentence(reason: str | None) -> str:
    """Returns the sentence of a result's reason alone, for callers that have no event."""
    if reason is not None and reason in RULES:
        return RULES[reason].discarded
    if reason == UNSURE:
        return "Not confident enough."
    return REASONS.get(reason or "", NOTHING)


def end_sentence(sentence: str) -> str:
    """Returns a sentence with a full stop, unless it has one."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def _summary(event: CompletionEvent) -> str:
    match event.stage:
        case Stage.SHOWN:
            return f"Suggested a {event.extent}."
        case Stage.TYPED_THROUGH:
            return "Continued the suggestion that you were typing."
        case Stage.CANCELLED:
            return _CANCELLED
        case Stage.FAILED:
            return f"Failed: {end_sentence(event.reason or '')}"
        case Stage.CONFIDENCE:
            needed = round(100 * event.needed_confidence)
            sure = _percentage(event.confidence, below=needed)
            needs = f"{needed}% needed (eagerness: {event.eagerness})"
            return f"Not confident enough: {sure} sure, {needs}."
    if event.reason == ATTRIBUTED and event.source is not None:
        sentence = event.source.sentence
        return f"Discarded: it {sentence[0].lower()}{sentence[1:]}"
    return reason_sentence(event.reason)


def _adjustments(event: CompletionEvent) -> tuple[str, ...]:
    rules = event.rules
    if rules and rules[-1] == event.reason:
        rules = rules[:-1]  # the summary is about that one
    return tuple(dict.fromkeys(_ADJUSTED[rule] for rule in rules))


def _percentage(share: float, *, below: int = 101) -> str:
    """Returns a share as "34%", rounded down, and less than ``below`` (the event's is rounded)."""
    percent = min(int(100 * share), below - 1)
    return f"{percent}%" if percent else "less than 1%"
