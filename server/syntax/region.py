"""The part of a document that judges a suggestion: whole statements around the cursor.

The user's file is often broken elsewhere, so a suggestion is judged by its surroundings, the larger
ones first: the function around it and what follows in it, the rest of its statement, and the
statement alone. The blocks around a region are replaced by headers of the same indentation.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from server.syntax.open_brackets import (
    NOTHING_OPEN,
    OpenState,
    open_below,
    statement_at,
)

_MAX_CHARS_ABOVE = 2_500
_MAX_CHARS_BELOW = 1_500
TAB_COLUMNS = 8  # as in Python's grammar
_ANY_COLUMNS = 1 << 16  # of a line that is still blank
_CLAUSE = re.compile(r"(?:elif|else|except|finally|case)\b")
_DEFINITION = re.compile(r"(?:async\s+def|def|class)\s|@")
_CLOSER = re.compile(r"\s*[)\]}]")
_LINE_BELOW = re.compile(r"\n([^\S\n]*\S.*)")  # the first that is not blank
_TAKES_ELSE = re.compile(r"(?:if|elif|for|while)\b")
_TRY = re.compile(r"try\s*:")
_END_OF_TRY = re.compile(r"(?:except|finally)\b")


@dataclass(frozen=True, kw_only=True)
class Region:
    """A part of a document that parses by itself if the document does.

    Attributes:
        above: The lines above the cursor's, each with its line feed.
        head: The cursor's line before the cursor.
        tail: The cursor's line after the cursor.
        below: The lines below, each preceded by its line feed.
        before_line: What is open where the cursor's line begins.
        margin: The indentation of the statement at the cursor.
        opening: The first line of that statement, without indentation.
        is_cut: Whether lines that may belong to the statement are left out below.
    """

    above: str
    head: str
    tail: str
    below: str
    before_line: OpenState
    margin: str
    opening: str
    is_cut: bool = False

    def insert(self, text: str, covered: int = 0, ending: str = "") -> str:
        """Returns the region with ``text`` at the cursor.

        Args:
            text: The text.
            covered: How many characters after the cursor it replaces.
            ending: Is added to the cursor's line.
        """
        return f"{self.above}{self.head}{text}{self.tail[covered:]}{ending}{self.below}"

    def replace_line(self, line: str) -> str:
        """Returns the region with another line in place of the cursor's."""
        return f"{self.above}{line}{self.below}"


def regions_around(before: str, after: str) -> Iterator[Region]:
    """Yields the regions around a cursor, the largest first.

    Args:
        before: The text before the cursor.
        after: The text after it, or its beginning.
    """
    statement = statement_at(before)
    *above, head = statement.text.split("\n")
    tail, newline, rest = after.partition("\n")
    below = rest.split("\n") if newline else []
    lines = _scan_lines(above)
    first = _first_line_of_statement(lines, statement.before)
    columns = line_columns(lines[first].text if first < len(lines) else head)
    is_fresh = not head.strip() and statement.before.is_empty
    start = _start_of_region(lines, first, _ANY_COLUMNS if is_fresh else columns)
    start_columns = line_columns(lines[start].text) if start < len(lines) else columns
    opening = lines[first].text if first < len(lines) else head
    region = Region(
        above=_join_above(lines, start, start_columns),
        head=head,
        tail=tail,
        below=_join_below(lines[start:], _lines_within(below, start_columns), opening),
        before_line=statement.before,
        margin=margin_of(opening),
        opening=opening.lstrip(),
    )
    yield region
    rest_of_statement = _lines_of_statement(below, columns)
    if rest_of_statement:
        yield replace(region, below=_join_below(lines[start:], rest_of_statement, opening))
    is_cut = bool(rest_of_statement)
    yield replace(region, below=_join_below(lines[start:], [], opening), is_cut=is_cut)
    if start < first and not is_fresh:
        below_alone = _join_below(lines[first:], [], opening)
        above_alone = _join_above(lines, first, columns, _owner_of_clause(opening))
        yield replace(region, above=above_alone, below=below_alone, is_cut=is_cut)


def _owner_of_clause(line: str) -> str:
    """Returns the beginning of the statement to which a line belongs that begins a clause."""
    clause = _CLAUSE.match(line.lstrip())
    if clause is None or clause[0] == "case":
        return ""
    return f"{margin_of(line)}{'if 1' if clause[0] in {'elif', 'else'} else 'try'}: pass\n"


def margin_of(line: str) -> str:
    """Returns the white space at the beginning of a line."""
    return line[: len(line) - len(line.lstrip())]


def line_columns(line: str) -> int:
    """Returns the width of a line's indentation, tabs expanded."""
    expanded = line.expandtabs(TAB_COLUMNS)
    return len(expanded) - len(expanded.lstrip(" "))


def continues_below(head: str, after: str) -> bool:
    """Returns whether the lines below belong to what the cursor's line opens.

    Args:
        head: The cursor's line before the cursor.
        after: The text after the cursor, of any length: only the next line of code is looked at.
    """
    found = _LINE_BELOW.search(after)
    if found is None:
        return False
    below = found[1]
    return _CLOSER.match(below) is not None or line_columns(below) > line_columns(head)


@dataclass(frozen=True, kw_only=True)
class _Line:
    """A line above the cursor's, and whether a statement begins in it."""

    text: str
    is_start: bool

    @property
    def code(self) -> str:
        return self.text.lstrip()


def _scan_lines(lines: list[str]) -> list[_Line]:
    found, state = [], NOTHING_OPEN
    for text in lines:
        code = text.lstrip()
        found.append(_Line(text=text, is_start=state.is_empty and code[:1] not in {"", "#"}))
        state = open_below(text, state)
    return found


def _first_line_of_statement(lines: list[_Line], before: OpenState) -> int:
    """Returns the index of the line in which the cursor's statement begins."""
    if before.is_empty:
        return len(lines)
    return next((i for i in reversed(range(len(lines))) if lines[i].is_start), 0)


def _start_of_region(lines: list[_Line], first: int, columns: int) -> int:
    """Returns the index of the region's first line: of a definition around it, or near enough."""
    start, least, n_chars = first, columns, 0
    for index in reversed(range(first)):
        line = lines[index]
        n_chars += len(line.text) + 1
        if n_chars > _MAX_CHARS_ABOVE:
            break
        here = line_columns(line.text)
        if not line.is_start or here > least:
            continue
        least = here
        is_decorated = index > 0 and lines[index - 1].code.startswith("@")
        if _CLAUSE.match(line.code) or is_decorated:
            continue
        start = index
        if _DEFINITION.match(line.code) and here < columns:
            break
    return start


def _join_above(lines: list[_Line], start: int, columns: int, owner: str = "") -> str:
    """Returns the lines from ``start`` on, below headers for the blocks around them."""
    headers: list[str] = []
    for line in reversed(lines[:start]):
        here = line_columns(line.text)
        if line.is_start and here < columns:
            header = "if 1:" if _TAKES_ELSE.match(line.code) else "class _:"
            headers.insert(0, f"{margin_of(line.text)}{header}\n")
            columns = here
        if columns == 0:
            break
    if columns > 0:  # the statement's beginning is too far away to be seen
        headers.insert(0, "class _:\n")
    return "".join(headers) + owner + "".join(f"{line.text}\n" for line in lines[start:])


def _lines_within(below: list[str], columns: int) -> list[str]:
    """Returns the lines below that belong to the region, which is indented by ``columns``."""
    kept: list[str] = []
    n_chars = 0
    for line in below:
        n_chars += len(line) + 1
        here = line_columns(line)
        code = line.lstrip()
        ends = here < columns or (here == columns and bool(_DEFINITION.match(code)))
        if code and not code.startswith("#") and not _CLOSER.match(line) and ends:
            return kept
        if n_chars > _MAX_CHARS_BELOW:
            return _cut_at_statement(kept)
        kept.append(line)
    return kept


def _cut_at_statement(lines: list[str]) -> list[str]:
    """Returns the lines up to the last one that is indented least, which begins a statement."""
    codes = [
        (line_columns(x), i)
        for i, x in enumerate(lines)
        if i > 0 and x.strip() and not _CLOSER.match(x)
    ]
    return lines[: min(codes, key=lambda pair: (pair[0], -pair[1]))[1]] if codes else lines


def _lines_of_statement(below: list[str], columns: int) -> list[str]:
    """Returns the lines below that belong to the cursor's statement."""
    kept: list[str] = []
    for line in below[:_MAX_CHARS_BELOW]:
        is_inside = line_columns(line) > columns or _CLOSER.match(line) is not None
        if line.strip() and not is_inside:
            break
        kept.append(line)
    return kept if any(line.strip() for line in kept) else []


def _join_below(above: list[_Line], below: list[str], opening: str) -> str:
    """Returns the lines below; a decorator and a ``try`` get what must follow and is not there."""
    lines = list(below)
    if opening.lstrip().startswith("@"):
        lines.append(f"{margin_of(opening)}def _(): pass")
    least: int | None = None
    for line in reversed(above):
        here = line_columns(line.text)
        if not line.is_start or (least is not None and here >= least):
            continue
        least = here
        if not _TRY.match(line.code):
            continue
        at = next((i for i, x in enumerate(lines) if x.strip() and line_columns(x) <= here), None)
        if at is None or not _END_OF_TRY.match(lines[at].lstrip()):
            lines.insert(len(lines) if at is None else at, f"{margin_of(line.text)}finally: pass")
    return "".join(f"\n{line}" for line in lines)
