"""Whether a suggestion fits the code around it, judged as a whole, and which part of it does.

The text after the insertion is judged: what stands before the cursor, the suggestion, and what
stands behind. It fits if Python's parser accepts the region around the cursor
(:mod:`server.syntax.region`). It does not if the parser refuses it, although the region would be
accepted with something else in the cursor's line: with what the author could have meant. Regions
that are broken by themselves say nothing; the next smaller one is asked. If none can say anything,
because of broken code or of syntax that is newer than this interpreter, the tolerant parser's
errors before and after are compared.

What a line announces may be missing: the body of a block, the definition below a decorator. So may
the end of what the author opened; what the suggestion itself opens must be closed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from server.syntax.open_brackets import OpenState, open_after, scan_line
from server.syntax.parse_tree import MARK, errors_from
from server.syntax.possible_lines import CLOSERS, list_completions, list_other_lines
from server.syntax.python_parser import parses
from server.syntax.region import (
    Region,
    continues_below,
    line_columns,
    margin_of,
    regions_around,
)

_CONTINUING = "([{,\\:=+-*/%&|^~<>@."  # a line that ends with one of these continues
_TRY = re.compile(r"\s*try\s*:")
_DEFINITION = re.compile(r"^\s*(?:async\s+def|def|class)\s+\w", re.MULTILINE)
_PIECE = re.compile(r"\w+|\s+|.", re.DOTALL)
_MAX_PIECES = 64  # from the end of a suggestion, that may be cut off
_MAX_COVERED = 6  # closers behind the cursor that a suggestion may replace
_MAX_PARSED = 8  # shorter texts that are parsed before all of it is dropped


@dataclass(frozen=True, kw_only=True)
class GrammarCheck:
    """Checks suggestions at one cursor.

    Attributes:
        before: The text before the cursor.
        after: The text after it, or its beginning.
    """

    before: str
    after: str

    @cached_property
    def _regions(self) -> "list[_JudgingRegion]":
        return [_JudgingRegion(region) for region in regions_around(self.before, self.after)]

    @property
    def _smallest(self) -> Region:
        return self._regions[-1].region

    @cached_property
    def at_cursor(self) -> OpenState:
        """What is open at the cursor."""
        return scan_line(self._smallest.head, self._smallest.before_line)

    @cached_property
    def continues_below(self) -> bool:
        """Whether the lines below belong to what the cursor's line opens."""
        return continues_below(self._smallest.head, self.after)

    def fits(self, text: str, covered: int = 0, *, is_final: bool = False) -> bool:
        """Returns whether the code around the cursor is accepted with ``text``.

        Args:
            text: To insert at the cursor.
            covered: How many characters after the cursor it replaces.
            is_final: Whether nothing may be missing after it.
        """
        if self._ends_string_below(text, covered):
            return False
        endings = [""] if is_final else list(self._endings(text, covered))
        for judge in self._regions:
            if judge.accepts(text, covered, endings):
                return True
            if judge.region.is_cut and judge.accepts(text, covered, self._cut_endings(text)):
                return True
            if judge.accepts_nothing or (judge.accepts_another and self._can_be_completed):
                return False
        return self._seems_to_fit(text, covered)

    def _ends_string_below(self, text: str, covered: int) -> bool:
        """Returns whether ``text`` ends or begins a string that goes on in the lines below."""
        quote = self._at_line_end.quote
        inside, end, _ = self.after.partition("\n")[2].partition(quote or "\n")
        if len(quote) < 3 or not end or _DEFINITION.search(inside):  # noqa: PLR2004 - triple
            return False  # or it is the quote of another docstring that follows
        return self._at_line_end_with(text, covered).stack != self._at_line_end.stack

    def _cut_endings(self, text: str) -> list[str]:
        """Returns what closes everything after ``text``, for regions without the lines below."""
        region = self._smallest
        stack = self._at_line_end_with(text).stack
        if not stack or not self.continues_below:
            return []
        closers = f"\n{_closers(stack)}"
        return [closers, f"{closers}:\n{region.margin}    {MARK}"]

    @cached_property
    def _can_be_completed(self) -> bool:
        """Whether some text makes a statement of the one at the cursor, as far as it is typed."""
        return any(map(parses, list_completions(self._smallest)))

    def longest_fit(self, text: str, covered: int = 0, *, is_whole: bool = True) -> tuple[str, int]:
        """Returns the longest part of ``text`` that fits, and how much it replaces: or nothing.

        Args:
            text: To insert at the cursor.
            covered: How many characters after the cursor it replaces.
            is_whole: Whether its last line is meant to end here.
        """
        n_closers = self._count_closers()
        if n_closers:  # rather what completes the line than what leaves something open
            for replaced in dict.fromkeys((covered, *range(n_closers + 1))):
                if self.fits(text, replaced, is_final=True):
                    return text, replaced
        if self.fits(text, covered, is_final=not is_whole):
            return text, covered
        n_parsed = 0
        for shorter, replaced in self._repairs(text, covered, is_whole=is_whole):
            if shorter.strip() and n_parsed < _MAX_PARSED:
                n_parsed += 1
                if self.fits(shorter, replaced):
                    is_same = replaced and shorter.endswith(self._smallest.tail[:replaced])
                    return (shorter[:-replaced], 0) if is_same else (shorter, replaced)
        return "", 0

    def _count_closers(self) -> int:
        """Returns how many closers behind the cursor an editor may have added."""
        tail = self._smallest.tail
        return min(len(tail) - len(tail.lstrip(CLOSERS)), _MAX_COVERED)

    def missing_closers(self, text: str) -> str:
        """Returns the closing brackets that are missing after ``text``, a whole line.

        Only for brackets that the cursor's own line opens, and only if nothing follows the cursor
        and the statement does not continue below.
        """
        region = self._smallest
        if region.tail.strip() or "\n" in text.strip("\n") or self.continues_below:
            return ""
        line = region.head + text if not text.startswith("\n") else text.lstrip("\n")
        at_end = scan_line(line, region.before_line)
        if at_end.quote or at_end.in_comment or line.rstrip()[-1:] in _CONTINUING:
            return ""
        if _begins_with(at_end.stack, region.before_line.stack):
            return _closers(at_end.stack[len(region.before_line.stack) :])
        return ""

    def _endings(self, text: str, covered: int) -> Iterator[str]:
        """Yields what may be missing after ``text``: nothing, what it announces, or closers."""
        region = self._smallest
        yield ""
        rest = region.tail[covered:]
        if rest.strip():
            if not rest.strip(CLOSERS):  # they are typed over when the line goes on
                yield f":\n{region.margin}    {MARK}"
            elif rest.rstrip().endswith(":"):
                yield f"\n{region.margin}    {MARK}"
            return
        line = (region.head + text).rpartition("\n")[2]
        margin = margin_of(line)
        at_end = open_after(region.head + text, region.before_line)
        # What the replaced closers closed must stay closed.
        opened = (self._at_line_end if covered else self.at_cursor).stack
        if opened and at_end.stack and _begins_with(opened, at_end.stack):
            if at_end.quote and len(at_end.quote) == 1:
                return
            yield f"\n{_closers(at_end.stack)}"
            yield f"\n{_closers(at_end.stack)}:\n{region.margin}    {MARK}"
        elif line.lstrip().startswith("@"):
            yield f"\n{margin}def {MARK}(): {MARK}"
        else:
            body = f"\n{margin}    {MARK}" if ":" in line else ""
            ends_of_try = _end_tries(region.head + text)
            yield from (end for end in (body, ends_of_try, body + ends_of_try) if end)

    def _seems_to_fit(self, text: str, covered: int) -> bool:
        """Returns whether ``text`` adds no error to code that is broken or too new to judge."""
        region = self._smallest
        start = len(region.above)
        closers = {"", _closers(self.at_cursor.stack)} if not region.tail.strip() else {""}
        made = region.insert(text, covered)
        at_end = self._at_line_end_with(text, covered)
        if at_end.n_unmatched > self._at_line_end.n_unmatched:
            return False
        if not _begins_with(self.at_cursor.stack, at_end.stack) and not self.continues_below:
            return False
        before = min(errors_from(region.insert(x), start) for x in (*closers, MARK))
        ends = ("", *(x + _closers(at_end.stack) for x in self._endings(text, covered)))
        return any(errors_from(made + end, start) <= before for end in ends)

    @cached_property
    def _at_line_end(self) -> OpenState:
        """What is open at the end of the cursor's line as it is."""
        return self._at_line_end_with("")

    def _at_line_end_with(self, text: str, covered: int = 0) -> OpenState:
        """Returns what is open at the end of the cursor's line with ``text`` inserted."""
        region = self._smallest
        return open_after(region.head + text + region.tail[covered:], region.before_line)

    def _repairs(self, text: str, covered: int, *, is_whole: bool) -> Iterator[tuple[str, int]]:
        """Yields changed texts, the least changed first, whose brackets match what follows."""
        tail = self._smallest.tail
        n_closers = self._count_closers()
        if not self._smallest.head.strip() and text[:1] in {" ", "\t"}:
            margin = len(text) - len(text.lstrip(" \t"))
            yield text.replace("\n" + text[:margin], "\n")[margin:], covered
        yield from ((text, n) for n in range(n_closers + 1) if n != covered)
        if not tail.strip():
            yield from ((text + closers, 0) for closers in self._closings(text))
        may_be_cut = bool(tail.strip()) or not is_whole
        for shorter in self._shorten(text, may_be_cut=may_be_cut):
            for replaced in dict.fromkeys((0, covered)):
                if self._is_balanced(shorter, replaced):
                    yield shorter, replaced
            if not tail.strip():
                if not is_whole:
                    yield shorter + self.missing_closers(shorter), 0
                yield from ((shorter + closers, 0) for closers in self._closings(shorter))

    def _shorten(self, text: str, *, may_be_cut: bool) -> Iterator[str]:
        """Yields fewer and fewer lines of a text, or less and less of a single line."""
        lines = text.split("\n")
        for n_kept in range(len(lines) - 1, 0, -1):
            yield "\n".join(lines[:n_kept]).rstrip()
        if "\n" in text.strip("\n"):
            return
        pieces = _PIECE.findall(text)
        for n_cut in range(1, min(len(pieces), _MAX_PIECES)):
            shorter = "".join(pieces[:-n_cut])
            ends_before_closer = pieces[-n_cut] in ")]}" and self._is_balanced(shorter, 0)
            is_word_end = re.search(r"[\w)\]}\"']\Z", shorter) is not None
            if is_word_end and (may_be_cut or ends_before_closer):
                yield shorter

    def _closings(self, text: str) -> Iterator[str]:
        """Yields what closes the brackets and docstrings that ``text`` opens."""
        region = self._smallest
        at_end = open_after(region.head + text, region.before_line)
        opened = self.at_cursor.stack
        own = at_end.stack[len(opened) :]
        if not own and region.before_line.stack:
            yield ","
        if not own or at_end.in_comment or not _begins_with(at_end.stack, opened):
            return
        line = (region.head + text).rpartition("\n")[2]
        margin = margin_of(line)
        if len(at_end.quote) == 3:  # noqa: PLR2004 - a docstring
            yield f"\n{margin}{_closers(own)}"
        elif at_end.quote:
            return
        elif line.rstrip().endswith(","):
            first = (region.head + text.lstrip("\n")).partition("\n")[0]
            yield f"\n{margin_of(first)}{_closers(own)}"
        elif "\n" not in text.strip("\n"):  # else the last element may be incomplete
            yield _closers(own)
            if self._smallest.before_line.stack:
                yield f"{_closers(own)},"  # another element follows below

    def _is_balanced(self, text: str, covered: int) -> bool:
        """Returns whether the cursor's line leaves no more open than without ``text``."""
        made, as_it_is = self._at_line_end_with(text, covered), self._at_line_end
        if made.n_unmatched > as_it_is.n_unmatched:
            return False
        return made.stack == as_it_is.stack or _begins_with(as_it_is.stack, made.stack)


class _JudgingRegion:
    """A region, and whether it can say anything about a suggestion."""

    def __init__(self, region: Region) -> None:
        self.region = region

    def accepts(self, text: str, covered: int, endings: list[str]) -> bool:
        """Returns whether the region parses with ``text`` and one of the endings."""
        return any(parses(self.region.insert(text, covered, ending)) for ending in endings)

    @cached_property
    def accepts_nothing(self) -> bool:
        """Whether the region parses as it is."""
        return parses(self.region.insert(""))

    @cached_property
    def accepts_another(self) -> bool:
        """Whether the region parses with some other line at the cursor."""
        return any(parses(self.region.replace_line(x)) for x in list_other_lines(self.region))


def _end_tries(text: str) -> str:
    """Returns the ends of the ``try`` statements that ``text`` begins and leaves without one."""
    lines = text.split("\n")
    ends = ""
    for index, line in enumerate(lines):
        columns = line_columns(line)
        is_ended = any(x.strip() and line_columns(x) <= columns for x in lines[index + 1 :])
        if _TRY.match(line) and not is_ended:
            ends = f"\n{margin_of(line)}finally: pass{ends}"
    return ends


def _begins_with(stack: tuple[str, ...], beginning: tuple[str, ...]) -> bool:
    return stack[: len(beginning)] == beginning


def _closers(stack: tuple[str, ...]) -> str:
    return OpenState(stack).closers
