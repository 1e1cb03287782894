"""A text document as an editor sees it: lines, positions in any encoding, incremental edits.

Lines end at line feeds, carriage returns, or both, and nowhere else. (``str.splitlines`` also
splits at form feeds and others, which would shift every position below.) Columns are counted in
units of the negotiated encoding. Plain data; called by ``lsp`` and by the command line.
"""

import bisect
import re
from array import array
from dataclasses import dataclass
from typing import Literal

Encoding = Literal["utf-8", "utf-16", "utf-32"]

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A replacement of the text between two positions, given as lines and columns."""

    start: tuple[int, int]
    end: tuple[int, int]
    text: str


class TextDocument:
    """The current text of one open document.

    Attributes:
        changed_s: When the client last changed it, by the clock of the caller.

    Args:
        text: The whole text.
        version: As the client counts; None if it does not.
        encoding: The unit of all columns.
    """

    def __init__(self, text: str, version: int | None, encoding: Encoding) -> None:
        self.text = text
        self.version = version
        self.changed_s = 0.0
        self._encoding = encoding
        self._starts: array[int] | None = None

    @property
    def line_starts(self) -> "array[int]":
        """The offset of each line's first character.

        Not a list: the numbers of a long file would be as many objects, and their memory would
        never be given back.
        """
        if self._starts is None:
            self._starts = array("q", [0])
            self._starts.extend(end.end() for end in _LINE_END.finditer(self.text))
        return self._starts

    def replace(self, text: str, version: int | None) -> None:
        """Replaces the whole text."""
        self.text, self.version, self._starts = text, version, None

    def edit(self, edit: Edit, version: int | None) -> None:
        """Applies an incremental change; columns past a line's end mean its end."""
        start = self.offset_at(*edit.start, is_strict=False)
        end = max(start, self.offset_at(*edit.end, is_strict=False))
        self.replace(self.text[:start] + edit.text + self.text[end:], version)

    def offset_at(self, line: int, column: int, *, is_strict: bool = True) -> int:
        """Returns the offset of a position, in characters.

        A column within a character means the beginning of that character.

        Args:
            line: Counted from 0.
            column: Counted from 0, in units of the encoding.
            is_strict: Whether to raise for a position outside of the text, or else to use the
                nearest end.

        Raises:
            IndexError: There is no such line or column.
        """
        starts = self.line_starts
        if line >= len(starts):
            if is_strict:
                raise IndexError(f"line {line + 1} of {len(starts)}")
            return len(self.text)
        content = self.line(line)
        n_chars = chars_in_units(content, column, self._encoding)
        if n_chars is None:
            if is_strict:
                raise IndexError(f"column {column + 1} of {units_in(content, self._encoding) + 1}")
            n_chars = len(content)
        return starts[line] + n_chars

    def position_of(self, offset: int) -> tuple[int, int]:
        """Returns the line and column of an offset; the inverse of :meth:`offset_at`."""
        line = bisect.bisect_right(self.line_starts, offset) - 1
        return line, units_in(self.text[self.line_starts[line] : offset], self._encoding)

    def positions_of(self, start: int, end: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Returns the positions of two offsets."""
        return self.position_of(start), self.position_of(end)

    def line(self, line: int) -> str:
        """Returns a line without its end."""
        starts = self.line_starts
        end = starts[line + 1] if line + 1 < len(starts) else len(self.text)
        return self.text[starts[line] : end].rstrip("\r\n")


def units_in(text: str, encoding: Encoding) -> int:
    """Returns the length of ``text`` in units of ``encoding``."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    if encoding == "utf-16":
        return len(text.encode("utf-16-le", "surrogatepass")) // 2
    return len(text.encode("utf-8", "surrogatepass"))


def chars_in_units(text: str, units: int, encoding: Encoding) -> int | None:
    """Returns how many characters ``units`` span; None if ``text`` has fewer units."""
    if encoding == "utf-32" or text.isascii():
        return units if units <= len(text) else None
    total = 0
    for index, character in enumerate(text):
        width = _width(character, encoding)
        if total + width > units:
            return index
        total += width
    return len(text) if total == units else None


def _width(character: str, encoding: Encoding) -> int:
    code = ord(character)
    if encoding == "utf-16":
        return 2 if code > 0xFFFF else 1  # noqa: PLR2004 - the last of the basic plane
    return len(character.encode("utf-8", "surrogatepass"))
