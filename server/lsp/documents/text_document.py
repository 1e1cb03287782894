"""A text document as an editor sees it: positions in any encoding, incremental edits.

Columns are counted in units of the negotiated encoding, and positions past the end of a line or of
the text mean that end, as the Language Server Protocol demands. Called by ``lsp`` and by the
command line; :mod:`server.lsp.documents.chunked_text` holds the text.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from server.lsp.documents.chunked_text import ChunkedText

Encoding = Literal["utf-8", "utf-16", "utf-32"]


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A replacement of the text between two positions, given as lines and columns."""

    start: tuple[int, int]
    end: tuple[int, int]
    text: str


class TextDocument:
    """The current text of one open document.

    Attributes:
        revision: Counts the changes.
        is_known: Whether the text is the editor's; False after a change that could not be
            understood, until the client sends the whole text.
        changed_s: When the client last changed it, by the clock of the caller.

    Args:
        text: The whole text.
        encoding: The unit of all columns.
    """

    def __init__(self, text: str, encoding: Encoding) -> None:
        self.changed_s = 0.0
        self.revision = 0
        self._encoding = encoding
        self.replace(text)

    @property
    def text(self) -> str:
        """The whole text."""
        return str(self._text)

    def replace(self, text: str) -> None:
        """Replaces the whole text."""
        self._text = ChunkedText(
            text,
            partial(units_in, encoding=self._encoding),
            joins_pairs=self._encoding == "utf-16",
        )
        self.revision += 1
        self.is_known = True

    def edit(self, edit: Edit) -> None:
        """Applies an incremental change."""
        start, end = self.offset_at(*edit.start), self.offset_at(*edit.end)
        self._text.replace(start, max(start, end), edit.text)
        self.revision += 1

    def lose(self) -> None:
        """Forgets the text: it is not what the editor shows any more."""
        self.replace("")
        self.is_known = False

    def offset_at(self, line: int, column: int) -> int:
        """Returns the offset of a position, in characters.

        Args:
            line: Counted from 0.
            column: Counted from 0, in units of the encoding.
        """
        return self._text.offset_at(line, column)

    def position_of(self, offset: int) -> tuple[int, int]:
        """Returns the line and column of an offset; the inverse of :meth:`offset_at`."""
        return self._text.position_of(offset)

    def positions_of(self, start: int, end: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Returns the positions of two offsets."""
        return self.position_of(start), self.position_of(end)


def units_in(text: str, encoding: Encoding) -> int:
    """Returns the length of ``text`` in units of ``encoding``."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    if encoding == "utf-16":
        return len(text.encode("utf-16-le", "surrogatepass")) // 2
    return len(text.encode("utf-8", "surrogatepass"))
