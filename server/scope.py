"""How far a suggestion goes: to the end of a line, or of a block; decided around the cursor.

Pure functions of the text. :func:`scope_at` reads the lines around the cursor;  :func:`cut` ends a
text at its scope and says whether the end was reached, so that the decoder stops at the same place
where the text is cut. It looks at lines and indentation only: the file is usually broken while it
is typed, and what a parser could add is not this module's work.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

_TAB_COLUMNS = 8
_OPENER = re.compile(
    r"(?:async|def|class|if|elif|else|for|while|with|try|except|finally|match|case)\b.*:\s*(?:#.*)?$"
)
_SIGNATURE_END = re.compile(r"[)\]].*:\s*(?:#.*)?$")  # of a head that runs over several lines
_SIGNATURE_START = re.compile(r"(?:async\s+def|def|class)\b")
_QUOTES = re.compile(r"[rRuU]?(\"\"\"|''')")
_DOCSTRING_LINES = 80  # looked through for a docstring's beginning


class Extent(StrEnum):
    """What a suggestion completes."""

    LINE = "line"
    BLOCK = "block"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Where a suggestion has to end.

    Attributes:
        extent: The line, or the block.
        min_columns: The block's indentation; a line with less does not belong to it.
        may_break: Whether a line's suggestion may begin on the next line.
        max_lines: Of a block.
    """

    extent: Extent
    min_columns: int = 0
    may_break: bool = True
    max_lines: int = 1


def scope_at(prefix: str, suffix: str, *, max_block_lines: int) -> Scope:
    """Decides by the cursor's line and the last line with text above it."""
    *above, head = prefix.split("\n")
    tail = suffix.partition("\n")[0]
    if tail.strip():
        return Scope(extent=Extent.LINE, may_break=False)
    if head.strip():
        columns = _columns_of_block_after([*above, head])
    else:
        while above and not above[-1].strip():
            above.pop()
        columns = _columns_of_block_after(above)
        if columns is not None:
            columns = max(columns, indentation_columns(head))
    if columns is None:
        return Scope(extent=Extent.LINE)
    return Scope(extent=Extent.BLOCK, min_columns=columns, max_lines=max_block_lines)


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


def _columns_of_block_after(lines: list[str]) -> int | None:
    """Returns the least indentation of the block that ``lines`` have just opened, if any."""
    if not lines:
        return None
    last = lines[-1].strip()
    columns = indentation_columns(lines[-1])
    if _OPENER.match(last) or (_SIGNATURE_END.match(last) and _opens_signature(lines)):
        return columns + 1
    start = _docstring_start(lines)
    if start is not None and start > 0 and _columns_of_block_after(lines[:start]) is not None:
        return indentation_columns(lines[start])
    return None


def _opens_signature(lines: list[str]) -> bool:
    """Says whether the last line closes a ``def`` or ``class`` that began above at its column."""
    columns = indentation_columns(lines[-1])
    for line in reversed(lines[-_DOCSTRING_LINES:-1]):
        if line.strip() and indentation_columns(line) <= columns:
            return bool(_SIGNATURE_START.match(line.strip()))
    return False


def _docstring_start(lines: list[str]) -> int | None:
    """Returns the index of the line where the docstring begins that the last line ends."""
    last = lines[-1].strip()
    if not last.endswith(('"""', "'''")):
        return None
    quotes = last[-3:]
    opened = _QUOTES.match(last)
    if opened and last.count(quotes) == 2:  # noqa: PLR2004 - opened and closed in one line
        return len(lines) - 1
    for index in range(len(lines) - 2, max(-1, len(lines) - 2 - _DOCSTRING_LINES), -1):
        line = lines[index].strip()
        if quotes in line:
            opened = _QUOTES.match(line)
            return index if opened and line.count(quotes) == 1 else None
    return None
