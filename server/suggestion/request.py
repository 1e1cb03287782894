"""What is asked of the completer and what it answers: plain data, without the model's libraries."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from server.suggestion.extent import Extent
from training.artifact.code_reference import CodeReference


class OtherFiles(Protocol):
    """What a request may know of the workspace besides its own document."""

    def context(self, budget_tokens: int, count: Callable[[str], int]) -> str:
        """Returns whole lines, within a budget, to stand before the document; "" for none."""
        ...

    def knows(self, name: str) -> bool:
        """Says whether a name stands in another file."""
        ...


@dataclass(frozen=True, kw_only=True)
class CompletionRequest:
    """A document and the cursor's offset in characters.

    ``is_asked_for`` says that the user asked, so that something is better than silence.
    ``document`` names it, so that what is typed as suggested goes on with the suggestion ("" for
    none). ``n_wanted`` suggestions, one from another, are wanted, as far as the model has any.
    ``workspace`` is what is known of other files, None for nothing.
    """

    text: str
    offset: int
    is_asked_for: bool = False
    document: str = ""
    n_wanted: int = 1
    workspace: OtherFiles | None = None

    @property
    def around(self) -> tuple[str, str]:
        """The text before the cursor and behind it."""
        return self.text[: self.offset], self.text[self.offset :]


@dataclass(frozen=True, kw_only=True)
class CompletionResult:
    """A suggestion and how it came about.

    Attributes:
        text: What to insert at the cursor, lines ended by line feeds; empty if nothing is shown.
        covered: How many characters behind the cursor it replaces.
        reason: Why nothing is shown; None if something is.
        rules: The names of the rules that trimmed it.
        extent: Whether a line or a block was asked for.
        is_rest: Whether it is the rest of what was shown before, for which no model was asked.
        log_prob: Of the first line written and its end, in nats, given what was typed already.
        confidence: How sure one may be of that line, between 0 and 1; 0 if nothing was written.
        n_unknown_names: How many names it uses that stand nowhere else, if it came to that.
        source: Whose text it repeats, if it repeats anybody's at length.
        others: Further suggestions, if they were wanted.
    """

    text: str = ""
    covered: int = 0
    reason: str | None = None
    rules: tuple[str, ...] = ()
    extent: Extent = Extent.LINE
    is_rest: bool = False
    prompt_tokens: int = 0
    reused_tokens: int = 0
    computed_tokens: int = 0
    new_tokens: int = 0
    first_token_ms: float | None = None
    total_ms: float = 0.0
    log_prob: float = 0.0
    confidence: float = 0.0
    n_unknown_names: int = 0
    source: CodeReference | None = None
    others: "tuple[Alternative, ...]" = ()


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """Another suggestion for the same place."""

    text: str
    covered: int
