"""How far a suggestion goes: to the end of a line, a block or a function; decided at the cursor.

:func:`scope_at` asks the grammar (:mod:`server.syntax`) what begins at the cursor; where the text
is too broken for an answer, the line above. :func:`cut` ends a text at its scope and says whether
the end was reached, so that the decoder stops at the same place where the text is cut.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from server.syntax.open_brackets import open_behind, unit_of
from server.syntax.parse_tree import MARK, block_opened_before_mark, function_around_mark

Wanted = Literal["auto", "line", "block", "function"]

_TAB_COLUMNS = 8
_OPENER = re.compile(
    r"(?:async|def|class|if|elif|else|for|while|with|try|except|finally|match|case)\b.*:\s*(?:#.*)?$"
)


class Extent(StrEnum):
    """What a suggestion completes."""

    LINE = "line"
    BLOCK = "block"
    FUNCTION = "function"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most lines of a block and of a function."""

    block_lines: int
    function_lines: int


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Where a suggestion has to end.

    Attributes:
        extent: The line, the block, or the function.
        min_columns: The block's indentation; a line with less does not belong to it.
        may_break: Whether a line's suggestion may begin on the next line.
        max_lines: Of a block or a function.
    """

    extent: Extent
    min_columns: int = 0
    may_break: bool = True
    max_lines: int = 1


def scope_at(prefix: str, suffix: str, *, limits: Limits, wanted: Wanted = "auto") -> Scope:
    """Decides by what the grammar makes of the cursor's place.

    Args:
        prefix: The text before the cursor.
        suffix: The text behind it.
        limits: Of what is longer than a line.
        wanted: "auto" goes on to a block's end where one begins; "line" never does; "block" and
            "function" do so in the middle of one too.
    """
    head = prefix.rpartition("\n")[2]
    tail = suffix.partition("\n")[0]
    if tail.strip():
        return Scope(extent=Extent.LINE, may_break=False)
    if wanted == "line":
        return Scope(extent=Extent.LINE)
    found = _beginning(prefix, head)
    if found is None and wanted != "auto" and not head.strip():
        found = _within(prefix, head, wanted)
    if found is None:
        return Scope(extent=Extent.LINE)
    extent, columns = found
    if wanted == "block":
        extent = Extent.BLOCK
    most = limits.function_lines if extent is Extent.FUNCTION else limits.block_lines
    return Scope(extent=extent, min_columns=columns, max_lines=most)


def cut(text: str, scope: Scope) -> tuple[str, bool]:
    """Returns ``text`` up to its scope's end, and whether that end is in it."""
    if scope.extent is Extent.LINE:
        return _cut_line(text, scope)
    return _cut_block(text, scope)


def indentation_columns(line: str) -> int:
    """Returns the width of a line's indentation, tabs expanded."""
    expanded = line.expandtabs(_TAB_COLUMNS)
    return len(expanded) - len(expanded.lstrip(" "))


def _cut_line(text: str, scope: Scope) -> tuple[str, bool]:
    if not scope.may_break:
        line, newline, _ = text.partition("\n")
        return line, bool(newline)
    content = len(text) - len(text.lstrip())  # leading line ends belong to the suggestion
    end = text.find("\n", content)
    return (text, False) if end < 0 else (text[:end], True)


def _cut_block(text: str, scope: Scope) -> tuple[str, bool]:
    kept = 0  # end of the last line that belongs to the block
    n_lines = 0
    start = 0
    for line in text.split("\n"):
        is_first = start == 0
        end = start + len(line)
        if line.strip():
            if not is_first and indentation_columns(line) < scope.min_columns:
                return text[:kept], True
            if n_lines == scope.max_lines:
                return text[:kept], True
            n_lines += 1
            kept = end
        start = end + 1
    return text, False


def _beginning(prefix: str, head: str) -> tuple[Extent, int] | None:
    """Returns what begins at the cursor, with its least indentation; None within a block."""
    unit = unit_of(prefix)
    if not open_behind(head, unit.before).is_nothing:
        return None
    above = unit.text.rstrip().expandtabs(_TAB_COLUMNS)
    line = above.rpartition("\n")[2]
    line_columns = indentation_columns(line)
    own_columns = 0 if head.strip() else indentation_columns(head)
    for columns in (line_columns + 1, line_columns):  # the second behind a docstring
        margin = " " * max(own_columns, columns)
        opened = block_opened_before_mark(f"{above}\n{margin}{MARK}")
        if opened is not None:
            extent = Extent.FUNCTION if opened.is_function else Extent.BLOCK
            return extent, max(opened.column + 1, own_columns)
    if _OPENER.match(line.strip()):
        return Extent.BLOCK, max(line_columns + 1, own_columns)
    return None


def _within(prefix: str, head: str, wanted: Wanted) -> tuple[Extent, int] | None:
    """Returns the rest of the block or function that the cursor's empty line stands in."""
    unit = unit_of(prefix)
    if not unit.before.is_nothing:
        return None
    above = unit.text.rstrip().expandtabs(_TAB_COLUMNS)
    columns = indentation_columns(head) or indentation_columns(above.rpartition("\n")[2])
    if columns == 0:
        return None
    if wanted == "block":
        return Extent.BLOCK, columns
    column = function_around_mark(f"{above}\n{' ' * columns}{MARK}")
    return None if column is None else (Extent.FUNCTION, column + 1)
