"""A text that is edited in place, and that knows its lines and columns.

It lies in chunks, of which there are about as many as each has characters. So an edit anywhere, and
a position anywhere, costs the square root of the text's length besides the edit's own, however long
a line is and however many there are. Lines end at line feeds, carriage returns, or both, and
nowhere else. (``str.splitlines`` also splits at form feeds and others, which would shift every
position below.)
"""

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, islice

_MIN_CHUNK_CHARS = 512
_MAX_CHUNKS_FACTOR = 4  # as many times the square root; then the text is divided anew
_LINE_END = re.compile(r"\r\n|\n|\r")
_TORN_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


@dataclass(frozen=True, kw_only=True)
class _Sums:
    """For each chunk, and for the end: what lies before it."""

    chars: list[int]
    units: list[int]
    line_ends: list[int]


class ChunkedText:
    """One text.

    Args:
        text: The whole text.
        count_units: Returns the length of a text in the unit of columns; adds up over its parts.
        joins_pairs: Whether two halves of a surrogate pair are one character wherever they meet, as
            in an editor whose unit is UTF-16.
    """

    def __init__(self, text: str, count_units: Callable[[str], int], *, joins_pairs: bool) -> None:
        self._count_units = count_units
        self._joins_pairs = joins_pairs
        self._known_sums: _Sums | None = None
        self._text: str | None = None
        self._divide(self._join_pairs(text))

    def __len__(self) -> int:
        return self._n_chars

    def __str__(self) -> str:
        if self._text is None:
            self._text = "".join(self._chunks)
        return self._text

    def replace(self, start: int, end: int, text: str) -> None:
        """Replaces the characters between two offsets."""
        chars = self._sums().chars
        first = self._chunk_at(chars, start)
        last = max(first, bisect_left(chars, end, hi=len(self._chunks)) - 1)
        head = self._chunks[first][: start - chars[first]]
        piece = head + text + self._chunks[last][end - chars[last] :]
        if not piece and first > 0:
            first -= 1
            piece = self._chunks[first]
        while first > 0 and _tears(self._chunks[first - 1], piece):
            first -= 1
            piece = self._chunks[first] + piece
        while last + 1 < len(self._chunks) and _tears(piece, self._chunks[last + 1]):
            last += 1
            piece += self._chunks[last]
        self._splice(first, last + 1, self._join_pairs(piece))

    def offset_at(self, line: int, column: int) -> int:
        """Returns the offset of a position; past a line's end or the last line means the end.

        A column within a character means the beginning of that character.

        Args:
            line: Counted from 0.
            column: Counted from 0, in units.
        """
        sums = self._sums()
        if line > sums.line_ends[-1]:
            return self._n_chars
        start, end = self._line_start(line), self._line_end(line)
        target = self._units_before(start) + column
        if target >= self._units_before(end):
            return end
        index = self._chunk_at(sums.units, target)
        chunk, target = self._chunks[index], target - sums.units[index]
        if sums.units[index + 1] - sums.units[index] != len(chunk):  # not one unit a character
            lengths = range(len(chunk) + 1)
            target = bisect_right(lengths, target, key=lambda n: self._count_units(chunk[:n])) - 1
        return sums.chars[index] + target

    def position_of(self, offset: int) -> tuple[int, int]:
        """Returns the line and column of an offset; the inverse of :meth:`offset_at`."""
        sums = self._sums()
        index = self._chunk_at(sums.chars, offset)
        chunk, inside = self._chunks[index], offset - sums.chars[index]
        is_within_end = chunk[inside - 1 : inside + 1] == "\r\n" if inside else False
        line = sums.line_ends[index] + _count_line_ends(chunk[:inside]) - is_within_end
        return line, self._units_before(offset) - self._units_before(self._line_start(line))

    def _line_start(self, line: int) -> int:
        return self._line_end_match(line - 1)[1] if line else 0

    def _line_end(self, line: int) -> int:
        return (
            self._n_chars if line == self._sums().line_ends[-1] else self._line_end_match(line)[0]
        )

    def _line_end_match(self, line: int) -> tuple[int, int]:
        """Returns the offsets of a line's end, which must be there."""
        sums = self._sums()
        index = bisect_right(sums.line_ends, line) - 1
        n_before = line - sums.line_ends[index]
        match = next(islice(_LINE_END.finditer(self._chunks[index]), n_before, None))
        return sums.chars[index] + match.start(), sums.chars[index] + match.end()

    def _units_before(self, offset: int) -> int:
        sums = self._sums()
        index = self._chunk_at(sums.chars, offset)
        return sums.units[index] + self._count_units(
            self._chunks[index][: offset - sums.chars[index]]
        )

    def _chunk_at(self, sums: list[int], number: int) -> int:
        """Returns the index of the chunk that a number of characters or units leads into."""
        return bisect_right(sums, number, hi=len(self._chunks)) - 1

    def _sums(self) -> _Sums:
        if self._known_sums is None:
            self._known_sums = _Sums(
                chars=list(accumulate(map(len, self._chunks), initial=0)),
                units=list(accumulate(self._n_units, initial=0)),
                line_ends=list(accumulate(self._n_line_ends, initial=0)),
            )
        return self._known_sums

    def _divide(self, text: str) -> None:
        self._n_chars = len(text)
        self._chunk_chars = max(_MIN_CHUNK_CHARS, math.isqrt(len(text)))
        self._chunks: list[str] = []
        self._n_units: list[int] = []
        self._n_line_ends: list[int] = []
        self._splice(0, 0, text)
        self._text = text

    def _splice(self, first: int, stop: int, piece: str) -> None:
        """Replaces some chunks by a text."""
        n_before = sum(map(len, self._chunks[first:stop]))
        chunks = list(_cut(piece, self._chunk_chars)) if piece else []
        if not chunks and stop - first == len(self._chunks):
            chunks = [""]  # there always is one
        self._chunks[first:stop] = chunks
        self._n_units[first:stop] = map(self._count_units, chunks)
        self._n_line_ends[first:stop] = map(_count_line_ends, chunks)
        self._text, self._known_sums = None, None
        if (first, stop) != (0, 0):
            self._n_chars += len(piece) - n_before
            most = _MAX_CHUNKS_FACTOR * max(_MIN_CHUNK_CHARS, math.isqrt(self._n_chars))
            if len(self._chunks) > most:
                self._divide(str(self))

    def _join_pairs(self, piece: str) -> str:
        if not self._joins_pairs or piece.isascii() or not _TORN_PAIR.search(piece):
            return piece
        return _TORN_PAIR.sub(lambda match: _join_pair(match[0]), piece)


def _cut(text: str, n_chars: int) -> Iterator[str]:
    """Yields a text in chunks; none ends within a line end."""
    start = 0
    while len(text) - start > 2 * n_chars:
        stop = start + n_chars
        stop += _tears(text[stop - 1], text[stop])
        yield text[start:stop]
        start = stop
    yield text[start:]


def _tears(before: str, after: str) -> bool:
    """Returns whether a line end or a pair of surrogates lies across the border of two texts."""
    around = before[-1:] + after[:1]
    return around == "\r\n" or _TORN_PAIR.fullmatch(around) is not None


def _join_pair(pair: str) -> str:
    return pair.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _count_line_ends(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")
