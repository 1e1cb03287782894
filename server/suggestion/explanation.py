"""How a request ended, in sentences that editors show as they are.

The event of a request (:mod:`server.worker.events`) is for programs: it names stages, rules and
reasons. Here each of these has its sentence; a test checks the tables against everything the code
can produce. Called by the service, for ``parrotlet.explain``, and by the command line.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from server.engine.generation_request import Ending
from server.suggestion.confidence import UNSURE
from training.artifact.code_reference import CodeReference

SUPERSEDED = "superseded before it began"
NO_MODEL = "no model"
ATTRIBUTED = "repeats the training corpus"
PRIVATE = "private file"
ON_BATTERY = "on battery"
NOT_OPEN = "not open"
OUTSIDE = "outside the text"
FAILED, WITHHELD = "failed", "withheld"  # stages that are not about what the model wrote

NOTHING = "The model had nothing to suggest here."
_CANCELLED = "Cancelled: replaced by a newer request or edit."

REASONS: Mapping[str, str] = {
    Ending.END_OF_TEXT: NOTHING,
    Ending.FINISHED: NOTHING,
    Ending.MAX_TOKENS: "The model reached its length limit before it suggested anything.",
    Ending.CANCELLED: _CANCELLED,
    SUPERSEDED: _CANCELLED,
    NO_MODEL: "No model is loaded.",
    ATTRIBUTED: "Discarded: it repeats the training corpus word for word.",
    PRIVATE: "Private file: Parrotlet makes no suggestions in files that may hold secrets.",
    ON_BATTERY: "Paused: automatic suggestions are off while running on battery.",
    NOT_OPEN: "This file is not open in the server.",
    OUTSIDE: "The position is outside the text that the server has of this file.",
}


@dataclass(frozen=True, kw_only=True)
class RuleSentences:
    """What is said of a rule: where it left nothing, and where it changed something."""

    discarded: str
    adjusted: str


RULES: Mapping[str, RuleSentences] = {
    "end_of_scope": RuleSentences(
        discarded="Discarded: it did not belong to the line or block at the cursor.",
        adjusted="Ended at the end of the line or block.",
    ),
    "unfinished_line": RuleSentences(
        discarded="Discarded: it was cut off at the length limit.",
        adjusted="Removed the last line, which was incomplete.",
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
}


def explained(event: Mapping[str, Any]) -> dict[str, object]:
    """Returns what is said of an event: ``summary``, ``adjustments`` and ``attribution``."""
    return {
        "summary": summary(event),
        "adjustments": list(adjustments(event)),
        "attribution": attribution(event),
    }


def summary(event: Mapping[str, Any]) -> str:
    """Returns how the request ended, as one sentence."""
    match event["stage"]:
        case "shown":
            return f"Suggested a {event['extent']}."
        case "typed through":
            return "Continued the suggestion that you were typing."
        case "cancelled":
            return _CANCELLED
        case "failed":
            return f"Failed: {closed(event['reason'])}"
        case "confidence":
            return _unsure(event)
    if event["reason"] == ATTRIBUTED and (source := attribution(event)):
        return f"Discarded: it {source[0].lower()}{source[1:]}"
    return reason_sentence(event["reason"])


def adjustments(event: Mapping[str, Any]) -> Iterable[str]:
    """Returns a sentence for each rule that changed the suggestion and left something of it."""
    rules = event["rules"]
    if rules and rules[-1] == event["reason"]:
        rules = rules[:-1]  # that one is the summary
    return dict.fromkeys(RULES[rule].adjusted for rule in rules)


def attribution(event: Mapping[str, Any]) -> str | None:
    """Returns whose text the suggestion repeats, as a sentence; None if nobody's."""
    return None if event["source"] is None else CodeReference(**event["source"]).sentence


def reason_sentence(reason: str | None) -> str:
    """Returns the sentence of a result's reason alone, for whoever has no event."""
    if reason is not None and reason in RULES:
        return RULES[reason].discarded
    if reason == UNSURE:
        return "Not confident enough."
    return REASONS.get(reason or "", NOTHING)


def _unsure(event: Mapping[str, Any]) -> str:
    percent = int(100 * event["confidence"])  # rounded down: never as much as is needed
    sure = f"{percent}%" if percent else "less than 1%"
    needed = f"{event['needed_confidence']:.0%} needed (eagerness: {event['eagerness']})"
    return f"Not confident enough: {sure} sure, {needed}."


def closed(sentence: str) -> str:
    """Returns a sentence with its full stop."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
