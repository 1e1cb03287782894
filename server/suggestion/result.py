"""A suggestion, and the completer's result: plain data, without the model's libraries."""

from dataclasses import dataclass, field

from server.engine.generation_request import TokenUsage
from server.suggestion.extent import Extent
from training.artifact.code_reference import CodeReference


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A text to insert at the cursor: from the first rule to the editor, this one type.

    Attributes:
        text: Lines end with a line feed; empty if nothing is left to show.
        covered: How many characters after the cursor the text replaces.
        is_whole: False if the model was interrupted before it ended the text.
        rules: The names of the rules that changed it, in order.
        log_prob: Of the first generated line and its end, in nats; 0 if nothing was generated.
        confidence: The probability that this line is right; 0 if nothing was generated.
        source: The training document that it repeats at length, if any.
        known_from: The file of the workspace that made it likely, if any.
    """

    text: str = ""
    covered: int = 0
    is_whole: bool = True
    rules: tuple[str, ...] = ()
    log_prob: float = 0.0
    confidence: float = 0.0
    source: CodeReference | None = None
    known_from: str | None = None


@dataclass(frozen=True, kw_only=True)
class CompletionResult:
    """The suggestion for a request, and how it came about.

    Attributes:
        suggestion: What to show; its text is empty if nothing is shown.
        alternatives: Different suggestions for the same place, if the request wanted any.
        reason: Why nothing is shown; None if something is.
        extent: Whether a line, a block or a function was to be completed.
        is_rest: Whether this is the rest of the last suggestion, which needed no model.
        n_unknown_names: How many names it uses that occur nowhere else, if that was checked.
        usage: What the generation cost.
        total_ms: From the request to the result, without waiting for a pause in typing.
    """

    suggestion: Suggestion = Suggestion()
    alternatives: tuple[Suggestion, ...] = ()
    reason: str | None = None
    extent: Extent = Extent.LINE
    is_rest: bool = False
    n_unknown_names: int = 0
    usage: TokenUsage = field(default_factory=TokenUsage)
    total_ms: float = 0.0
