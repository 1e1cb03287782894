"""Whether a suggestion fits what stands before it, and what of it does.

A statement that is being typed is no statement yet. So what is asked is whether there is any way to
go on: brackets are closed, a block gets a body, an operator gets an operand. Where the text before
the cursor fits no grammar by itself, nothing can be said, and everything passes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from server.syntax.open_brackets import Open, Unit, behind, next_line, open_behind, unit_of
from server.syntax.parse_tree import MARK, errors_from

_CONTINUING = "([{,\\:=+-*/%&|^~<>@."  # a line that ends so goes on


@dataclass(frozen=True, kw_only=True)
class Fitter:
    """What stands around the cursor, for the suggestions that are tried there.

    ``tail`` is the rest of the cursor's line, and ``below`` the first line with text under it.
    """

    unit: Unit
    tail: str
    below: str

    @classmethod
    def at(cls, prefix: str, suffix: str) -> "Fitter":
        """Looks around the cursor."""
        tail, _, rest = suffix.partition("\n")
        below = next((line for line in rest.split("\n") if line.strip()), "")
        return cls(unit=unit_of(prefix), tail=tail, below=below)

    def fits(self, text: str, covered: int = 0, *, is_whole: bool = True) -> bool:
        """Says whether there is a way to go on behind ``text``.

        Args:
            text: To stand at the cursor.
            covered: How many characters of the tail it replaces.
            is_whole: Whether its last line is meant to end here.
        """
        before = self.unit.text
        line_start = before.rfind("\n") + 1
        if not _can_go_on(before, line_start, self.unit, is_whole=False):
            return True
        made = before + text + self.tail[covered:]
        return _can_go_on(made, line_start, self.unit, is_whole=is_whole)

    def longest_fit(self, text: str, covered: int = 0, *, is_whole: bool = True) -> str:
        """Returns the most of ``text`` that fits: all, its first lines, a part of one, nothing."""
        if self.fits(text, covered, is_whole=is_whole):
            return text
        for shorter in self._shortened(text):
            if shorter.strip() and self.fits(shorter, covered):
                return shorter
        return ""

    def missing_closers(self, text: str) -> str:
        """Returns the brackets that have to be closed behind ``text``, a line that is whole.

        Only those that the cursor's line itself opens, if nothing stands behind the cursor and the
        statement does not go on below.
        """
        if self.tail.strip() or "\n" in text.strip("\n"):
            return ""
        head = self.unit.text.rpartition("\n")[2]
        line = head + text if not text.startswith("\n") else text.lstrip("\n")
        at_end = behind(line, self.unit.before)
        if at_end.quote or at_end.in_comment or line.rstrip()[-1:] in _CONTINUING:
            return ""
        if self.below.lstrip()[:1] in ")]}" and self.below.strip():
            return ""
        if _columns(self.below) > _columns(line):
            return ""
        n_own = len(at_end.brackets) - len(self.unit.before.brackets)
        return at_end.closers[: max(0, n_own)]

    def _shortened(self, text: str) -> Iterator[str]:
        """Yields what is left without closers that close nothing, then fewer and fewer lines."""
        at_start = open_behind(self.unit.text.rpartition("\n")[2], self.unit.before)
        at = _first_unmatched(text, at_start)
        if at >= 0:
            yield text[:at].rstrip()
        lines = text.split("\n")
        for n_kept in range(len(lines) - 1, 0, -1):
            yield "\n".join(lines[:n_kept]).rstrip()


def _can_go_on(text: str, line_start: int, unit: Unit, *, is_whole: bool) -> bool:
    """Says whether any way to end ``text`` makes what stands from ``line_start`` on fit."""
    at_end = open_behind(text[line_start:], unit.before)
    if at_end.n_unmatched or (is_whole and len(at_end.quote) == 1):
        return False
    ends = _ends_of_line(text, at_end) if is_whole else _ends_anywhere(text, at_end)
    return any(errors_from(text + end, line_start) == 0 for end in ends)


def _ends_of_line(text: str, at_end: Open) -> Iterator[str]:
    """Yields ways to go on behind a line's end, the likeliest first."""
    indentation, _ = _split(text.rpartition("\n")[2])
    if not at_end.brackets:
        yield f"{at_end.quote}\n"
        yield f"{at_end.quote}\n{indentation}    {MARK}"  # behind a head
        yield f"\n{indentation}def {MARK}(): {MARK}"  # behind a decorator
        return
    for operand in ("", MARK, f": {MARK}", f" in {MARK}", f" else {MARK}"):
        yield from _headed("\n" + at_end.quote + operand + at_end.closers, indentation)


def _ends_anywhere(text: str, at_end: Open) -> Iterator[str]:
    """Yields ways to go on in the middle of a line, the likeliest first."""
    indentation, _ = _split(text.rpartition("\n")[2])
    brackets = at_end.closers[len(at_end.quote) :]
    start = "\n" if at_end.in_comment else at_end.quote
    for operand in ("", MARK, f" {MARK}", f": {MARK}", f" in {MARK}", f" else {MARK}"):
        yield from _headed(start + operand + brackets, indentation)
    if not at_end.brackets:
        yield f" import {MARK}"
        yield f" {MARK}():\n{indentation}    {MARK}"


def _headed(end: str, indentation: str) -> Iterator[str]:
    """Yields an end of a statement, of a compound statement's head, and of a decorator."""
    yield end
    yield f"{end}:\n{indentation}    {MARK}"
    yield f"{end}\n{indentation}def {MARK}(): {MARK}"


def _first_unmatched(text: str, before: Open) -> int:
    """Returns where the first closer stands that closes nothing; -1 if there is none."""
    state, at = before, 0
    for line in text.split("\n"):
        for length in range(1, len(line) + 1):
            if line[length - 1] in ")]}" and behind(line[:length], state).n_unmatched:
                return at + length - 1
        state, at = next_line(behind(line, state), line), at + len(line) + 1
    return -1


def _split(line: str) -> tuple[str, str]:
    """Returns a line's indentation, and the rest."""
    rest = line.lstrip()
    return line[: len(line) - len(rest)], rest


def _columns(line: str) -> int:
    return len(_split(line.expandtabs())[0])
