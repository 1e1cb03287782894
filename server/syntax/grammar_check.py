"""Whether a suggestion is valid Python at the cursor, and which part of it is.

A statement that is still being typed is not valid yet. So the question is whether it can be
completed: by closing brackets, giving a block a body or an operator its operand. If the text before
the cursor cannot be completed itself, nothing can be said about a suggestion, and all of them pass.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from server.syntax.open_brackets import (
    OpenState,
    Statement,
    begin_next_line,
    open_after,
    scan_line,
    statement_at,
)
from server.syntax.parse_tree import MARK, errors_from

_CONTINUING = "([{,\\:=+-*/%&|^~<>@."  # a line that ends with one of these continues


@dataclass(frozen=True, kw_only=True)
class GrammarCheck:
    """Checks suggestions at one cursor.

    Attributes:
        statement: The top-level statement that the cursor is in.
        tail: The cursor's line after the cursor.
        below: The first line below it that is not blank.
    """

    statement: Statement
    tail: str
    below: str

    @classmethod
    def at(cls, before: str, after: str) -> "GrammarCheck":
        """Returns the check for the text before and after the cursor."""
        tail, _, rest = after.partition("\n")
        below = next((line for line in rest.split("\n") if line.strip()), "")
        return cls(statement=statement_at(before), tail=tail, below=below)

    def fits(self, text: str, covered: int = 0, *, is_whole: bool = True) -> bool:
        """Returns whether the code can be completed after ``text`` is inserted.

        Args:
            text: To insert at the cursor.
            covered: How many characters after the cursor it replaces.
            is_whole: Whether its last line is meant to end here.
        """
        before = self.statement.text
        line_start = before.rfind("\n") + 1
        if not _can_continue(before, line_start, self.statement, is_whole=False):
            return True
        made = before + text + self.tail[covered:]
        return _can_continue(made, line_start, self.statement, is_whole=is_whole)

    def longest_fit(self, text: str, covered: int = 0, *, is_whole: bool = True) -> str:
        """Returns the longest part of ``text`` that fits: all, the first lines, or nothing."""
        if self.fits(text, covered, is_whole=is_whole):
            return text
        for shorter in self._shorten(text):
            if shorter.strip() and self.fits(shorter, covered):
                return shorter
        return ""

    def missing_closers(self, text: str) -> str:
        """Returns the closing brackets that are missing after ``text``, a whole line.

        Only for brackets that the cursor's own line opens, and only if nothing follows the cursor
        and the statement does not continue below.
        """
        if self.tail.strip() or "\n" in text.strip("\n"):
            return ""
        head = self.statement.text.rpartition("\n")[2]
        line = head + text if not text.startswith("\n") else text.lstrip("\n")
        at_end = scan_line(line, self.statement.before)
        if at_end.quote or at_end.in_comment or line.rstrip()[-1:] in _CONTINUING:
            return ""
        if self.below.lstrip()[:1] in ")]}" and self.below.strip():
            return ""
        if _columns(self.below) > _columns(line):
            return ""
        n_own = len(at_end.brackets) - len(self.statement.before.brackets)
        return at_end.closers[: max(0, n_own)]

    def _shorten(self, text: str) -> Iterator[str]:
        """Yields the text up to its first unmatched bracket, then fewer and fewer lines."""
        at_start = open_after(self.statement.text.rpartition("\n")[2], self.statement.before)
        at = _first_unmatched(text, at_start)
        if at >= 0:
            yield text[:at].rstrip()
        lines = text.split("\n")
        for n_kept in range(len(lines) - 1, 0, -1):
            yield "\n".join(lines[:n_kept]).rstrip()


def _can_continue(text: str, line_start: int, statement: Statement, *, is_whole: bool) -> bool:
    """Returns whether some ending makes ``text`` valid from ``line_start`` on."""
    at_end = open_after(text[line_start:], statement.before)
    if at_end.n_unmatched or (is_whole and len(at_end.quote) == 1):
        return False
    ends = _ends_of_line(text, at_end) if is_whole else _ends_anywhere(text, at_end)
    return any(errors_from(text + end, line_start) == 0 for end in ends)


def _ends_of_line(text: str, at_end: OpenState) -> Iterator[str]:
    """Yields endings for a line that is complete, the likeliest first."""
    indentation, _ = _split(text.rpartition("\n")[2])
    if not at_end.brackets:
        yield f"{at_end.quote}\n"
        yield f"{at_end.quote}\n{indentation}    {MARK}"  # after the head of a block
        yield f"\n{indentation}def {MARK}(): {MARK}"  # after a decorator
        return
    for operand in ("", MARK, f": {MARK}", f" in {MARK}", f" else {MARK}"):
        yield from _add_variants("\n" + at_end.quote + operand + at_end.closers, indentation)


def _ends_anywhere(text: str, at_end: OpenState) -> Iterator[str]:
    """Yields endings for a line that is not complete, the likeliest first."""
    indentation, _ = _split(text.rpartition("\n")[2])
    brackets = at_end.closers[len(at_end.quote) :]
    start = "\n" if at_end.in_comment else at_end.quote
    for operand in ("", MARK, f" {MARK}", f": {MARK}", f" in {MARK}", f" else {MARK}"):
        yield from _add_variants(start + operand + brackets, indentation)
    if not at_end.brackets:
        yield f" import {MARK}"
        yield f" {MARK}():\n{indentation}    {MARK}"


def _add_variants(end: str, indentation: str) -> Iterator[str]:
    """Yields an ending as it is, for the head of a block, and for a decorator."""
    yield end
    yield f"{end}:\n{indentation}    {MARK}"
    yield f"{end}\n{indentation}def {MARK}(): {MARK}"


def _first_unmatched(text: str, before: OpenState) -> int:
    """Returns the index of the first closing bracket without an opening one, or -1."""
    state, at = before, 0
    for line in text.split("\n"):
        for length in range(1, len(line) + 1):
            if line[length - 1] in ")]}" and scan_line(line[:length], state).n_unmatched:
                return at + length - 1
        state, at = begin_next_line(scan_line(line, state), line), at + len(line) + 1
    return -1


def _split(line: str) -> tuple[str, str]:
    """Returns a line's indentation and the rest."""
    rest = line.lstrip()
    return line[: len(line) - len(rest)], rest


def _columns(line: str) -> int:
    return len(_split(line.expandtabs())[0])
