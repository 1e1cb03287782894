"""What the completer is asked: plain data, without the model's libraries."""

from dataclasses import dataclass

from server.workspace.snapshot import WorkspaceSnapshot


@dataclass(frozen=True, kw_only=True)
class CompletionRequest:
    """A document and the cursor's offset in characters.

    Attributes:
        text: The whole document.
        offset: The cursor, in characters.
        is_asked_for: Whether the user requested a suggestion, so that an unlikely one is better
            than none.
        document: Its name, so that typing a suggestion continues it; "" for none.
        n_wanted: How many different suggestions to return, if the model has as many.
        workspace: What other files contribute; None for nothing.
    """

    text: str
    offset: int
    is_asked_for: bool = False
    document: str = ""
    n_wanted: int = 1
    workspace: WorkspaceSnapshot | None = None

    @property
    def before(self) -> str:
        """The text before the cursor."""
        return self.text[: self.offset]

    @property
    def after(self) -> str:
        """The text after the cursor."""
        return self.text[self.offset :]
