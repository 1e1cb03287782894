"""A text document as an editor sees it: lines, positions in any encoding, incremental edits.

Lines end at line feeds, carriage returns, or both, and nowhere else (``str.splitlines`` also splits
at form feeds and others, after which every position below is wrong). Columns are counted in the
units of the negotiated encoding. Pure data; it knows no protocol types. Called by ``lsp`` alone.
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
    """A replacement of the characters ``[start, end)``, given as lines and columns."""

    start: tuple[int, int]
    end: tuple[int, int]
    text: str


class Document:
    """The current text of one open document."""

    def __init__(self, text: str, version: int | None) -> None:
        self.text = text
        self.version = version
        self.changed_s = 0.0  # when a client changed it last, by the clock of whoever tells it
        self._starts: array[int] | None = None

    @property
    def line_starts(self) -> "array[int]":
        """The offset of each line's first character.

        No list: the numbers of a long file would be as many objects, whose memory never comes back.
        """
        if self._starts is None:
            self._starts = array("q", [0])
            self._starts.extend(end.end() for end in _LINE_END.finditer(self.text))
        return self._starts

    def replace(self, text: str, version: int | None) -> None:
        """Takes a whole new text."""
        self.text, self.version, self._starts = text, version, None

    def edit(self, edit: Edit, encoding: Encoding, version: int | None) -> None:
        """Applies one incremental change; columns past a line's end mean its end."""
        start = self.offset_at(*edit.start, encoding, is_strict=False)
        end = max(start, self.offset_at(*edit.end, encoding, is_strict=False))
        self.replace(self.text[:start] + edit.text + self.text[end:], version)

    def offset_at(
        self, line: int, column: int, encoding: Encoding, *, is_strict: bool = True
    ) -> int:
        """Returns the offset in characters of a position.

        A column inside a character means its beginning.

        Args:
            line: From 0.
            column: From 0, in units of ``encoding``.
            encoding: The unit.
            is_strict: Whether a position outside of the text is refused or moved to the next end.

        Raises:
            IndexError: There is no such line or column.
        """
        starts = self.line_starts
        if line >= len(starts):
            if is_strict:
                raise IndexError(f"line {line + 1} of {len(starts)}")
            return len(self.text)
        content = self.line(line)
        n_chars = chars_in_units(content, column, encoding)
        if n_chars is None:
            if is_strict:
                raise IndexError(f"column {column + 1} of {units_in(content, encoding) + 1}")
            n_chars = len(content)
        return starts[line] + n_chars

    def position_of(self, offset: int, encoding: Encoding) -> tuple[int, int]:
        """Returns line and column of an offset; the inverse of :meth:`offset_at`."""
        line = bisect.bisect_right(self.line_starts, offset) - 1
        return line, units_in(self.text[self.line_starts[line] : offset], encoding)

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
        return 2 if code > 0xFFFF else 1  # noqa: PLR2004 - end of the basic plane
    return len(character.encode("utf-8", "surrogatepass"))
