"""How far a suggestion extends: to the end of a line, a block or a function.

:func:`scope_at` asks the grammar (:mod:`server.syntax`) what begins at the cursor or, if the text
is too broken for that, looks at the line above. :func:`cut` ends a text at its scope and returns
whether the end was reached, so that the decoder stops where the text will be cut.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from server.syntax.open_brackets import NOTHING_OPEN, OpenState, open_after, statement_at
from server.syntax.parse_tree import MARK, block_opened_before_mark, function_around_mark
from server.syntax.region import TAB_COLUMNS, continues_below, line_columns

Wanted = Literal["auto", "line", "block", "function"]

_MAX_BRACKET_LINES = 8  # of a statement that goes on in brackets
_OPENER = re.compile(
    r"(?:async|def|class|if|elif|else|for|while|with|try|except|finally|match|case)\b.*:\s*(?:#.*)?$"
)


class Extent(StrEnum):
    """What a suggestion completes."""

    LINE = "line"
    BLOCK = "block"
    FUNCTION = "function"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Where a suggestion has to end.

    Attributes:
        extent: What it completes.
        min_columns: The block's indentation; a line with less ends the block.
        may_break: Whether a line may begin on the next line.
        max_lines: The most lines of a block or a function.
        goes_on_in_brackets: Whether a line ends only where the brackets that it opens are closed.
        at_cursor: What is open at the cursor.
    """

    extent: Extent
    min_columns: int = 0
    may_break: bool = True
    max_lines: int = 1
    goes_on_in_brackets: bool = False
    at_cursor: OpenState = NOTHING_OPEN


def scope_at(
    before: str,
    after: str,
    *,
    max_block_lines: int,
    max_function_lines: int,
    wanted: Wanted = "auto",
) -> Scope:
    """Returns the scope at the cursor, by what the grammar makes of its place.

    Args:
        before: The text before the cursor.
        after: The text after it.
        max_block_lines: The longest block to suggest.
        max_function_lines: The longest function body to suggest.
        wanted: "auto" extends to a block's end if a block begins at the cursor; "line" never does;
            "block" and "function" do so in the middle of one, too.
    """
    head = before.rpartition("\n")[2]
    tail = after.partition("\n")[0]
    if tail.strip():
        return Scope(extent=Extent.LINE, may_break=False)
    if wanted == "line":
        return Scope(extent=Extent.LINE)
    found = _find_beginning(before, head)
    if found is None and wanted != "auto" and not head.strip():
        found = _find_enclosing(before, head, wanted)
    if found is None:
        return Scope(
            extent=Extent.LINE,
            goes_on_in_brackets=not continues_below(head, after),
            at_cursor=open_after(head, statement_at(before).before),
        )
    extent, columns = found
    if wanted == "block":
        extent = Extent.BLOCK
    most = max_function_lines if extent is Extent.FUNCTION else max_block_lines
    return Scope(extent=extent, min_columns=columns, max_lines=most)


def cut(text: str, scope: Scope) -> tuple[str, bool]:
    """Returns ``text`` up to its scope's end, and whether it reaches that end."""
    if scope.extent is Extent.LINE:
        return _cut_line(text, scope)
    return _cut_block(text, scope)


def _cut_line(text: str, scope: Scope) -> tuple[str, bool]:
    if not scope.may_break:
        line, newline, _ = text.partition("\n")
        return line, bool(newline)
    content = len(text) - len(text.lstrip())  # line ends at the beginning belong to the suggestion
    first = end = text.find("\n", content)
    while end >= 0 and scope.goes_on_in_brackets and _is_open_at(text[:end], scope):
        if text[first:end].count("\n") == _MAX_BRACKET_LINES:
            return text[:end], True
        end = text.find("\n", end + 1)
    return (text, False) if end < 0 else (text[:end], True)


def _is_open_at(text: str, scope: Scope) -> bool:
    """Returns whether ``text`` ends within brackets that it opened."""
    at_end = open_after(text, scope.at_cursor)
    return not at_end.quote and len(at_end.stack) > len(scope.at_cursor.stack)


def _cut_block(text: str, scope: Scope) -> tuple[str, bool]:
    kept = 0  # the end of the last line that belongs to the block
    n_lines = 0
    start = 0
    for line in text.split("\n"):
        is_first = start == 0
        end = start + len(line)
        if line.strip():
            if not is_first and line_columns(line) < scope.min_columns:
                return text[:kept], True
            if n_lines == scope.max_lines:
                return text[:kept], True
            n_lines += 1
            kept = end
        start = end + 1
    return text, False


def _find_beginning(before: str, head: str) -> tuple[Extent, int] | None:
    """Returns what begins at the cursor and its least indentation; None if nothing begins."""
    statement = statement_at(before)
    if not open_after(head, statement.before).is_empty:
        return None
    above = statement.text.rstrip().expandtabs(TAB_COLUMNS)
    line = above.rpartition("\n")[2]
    opener_columns = line_columns(line)
    own_columns = 0 if head.strip() else line_columns(head)
    for columns in (opener_columns + 1, opener_columns):  # the second one after a docstring
        margin = " " * max(own_columns, columns)
        opened = block_opened_before_mark(f"{above}\n{margin}{MARK}")
        if opened is not None:
            extent = Extent.FUNCTION if opened.is_function else Extent.BLOCK
            return extent, max(opened.column + 1, own_columns)
    if _OPENER.match(line.strip()):
        return Extent.BLOCK, max(opener_columns + 1, own_columns)
    return None


def _find_enclosing(before: str, head: str, wanted: Wanted) -> tuple[Extent, int] | None:
    """Returns the block or function around the cursor's empty line, and its indentation."""
    statement = statement_at(before)
    if not statement.before.is_empty:
        return None
    above = statement.text.rstrip().expandtabs(TAB_COLUMNS)
    columns = line_columns(head) or line_columns(above.rpartition("\n")[2])
    if columns == 0:
        return None
    if wanted == "block":
        return Extent.BLOCK, columns
    column = function_around_mark(f"{above}\n{' ' * columns}{MARK}")
    return None if column is None else (Extent.FUNCTION, column + 1)
