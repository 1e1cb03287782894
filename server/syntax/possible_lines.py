"""What the author could have meant: lines in place of the cursor's, and completions of it.

If code parses with one of them, but not with a suggestion, the suggestion is to blame. Called by
:mod:`server.syntax.grammar_check`.
"""

import re
from collections.abc import Iterator
from itertools import islice

from server.syntax.open_brackets import OpenState, open_after, scan_line
from server.syntax.parse_tree import MARK
from server.syntax.region import Region

CLOSERS = ")]}\"'"  # what an editor may have added behind the cursor
_OPERANDS = (
    *(
        "",
        MARK,
        f" {MARK}",
        f" = {MARK}",
        f": {MARK}",
        f" in {MARK}",
        f" {MARK} in {MARK}",
        f" else {MARK}",
    ),
    *(f" for {MARK} in {MARK}", f" import {MARK}", f", {MARK}: {MARK}"),
)
_WORD = re.compile(r"\w+\Z")
_BLOCK = re.compile(
    r"\s*(?:async|def|class|if|elif|else|for|while|with|try|except|finally|match|case)\b"
)
_MAX_CLOSED = 2  # brackets and quotes that may be closed before the rest of a line
_MAX_PARSED_CHARS = 60_000  # of all completions together: some 10 ms


def list_other_lines(region: Region) -> Iterator[str]:
    """Yields lines that could stand in place of the cursor's, the likeliest first."""
    margin = region.margin
    at_end = scan_line(region.head + region.tail, region.before_line)
    openers = at_end.brackets[len(region.before_line.brackets) :]
    if region.before_line.is_empty:
        heads = ("pass", "if 1:", f"{MARK}{openers or '('}", f"@{MARK}", "try:", '"""')
        yield from (f"{margin}{head}" for head in heads)
        yield from (f"{margin}{MARK} = {opener}" for opener in "[{")
        yield f"{margin}def {MARK}("
        return
    closers = region.before_line.closers
    yield ""
    if not region.before_line.quote:
        elements = (MARK, f"{MARK},", f"{MARK}: {MARK}", f"{MARK}: {MARK},")
        arguments = (f"{MARK}={MARK}", f"{MARK}={MARK},", f"**{MARK},")
        joined = (f"else {MARK}", f"+ {MARK}", f"and {MARK}", f"for {MARK} in {MARK}")
        yield from (f"{margin}{element}" for element in (*elements, *arguments, *joined))
        yield from (f"{margin}{element}{openers or '('}" for element in ("", *elements[::2]))
    yield from (f"\n{closers}", f"{closers}:", f"\n{closers}:\n{margin}    {MARK}")


def list_completions(region: Region) -> Iterator[str]:
    """Yields the statement at the cursor, completed in several ways, the likeliest first.

    What stands behind the cursor stays, except closers that an editor may have added.
    """
    n_chars = len(region.above) + len(region.head) + len(region.tail) + 1
    yield from islice(_complete(region), max(1, _MAX_PARSED_CHARS // n_chars))


def _complete(region: Region) -> Iterator[str]:
    if not region.head.strip() and not region.tail.strip() and region.before_line.is_empty:
        yield ""
        return
    rest = region.tail.lstrip(CLOSERS)
    for head in dict.fromkeys((region.head, _WORD.sub("", region.head))):
        at_head = scan_line(head, region.before_line)
        break_ = "\n" if at_head.in_comment or len(at_head.quote) == 3 else ""  # noqa: PLR2004
        least_open = max(0, len(at_head.stack) - _MAX_CLOSED)
        for operand in _OPERANDS:
            if region.tail.strip():
                yield from _finish(region, f"{head}{operand}{region.tail}")
            for n_open in range(len(at_head.stack), least_open - 1, -1):
                line = f"{head}{break_}{at_head.close_above(n_open)}{operand}"
                if rest.strip():
                    yield from _finish(region, line + rest)
                stack = open_after(line, region.before_line).stack
                yield from _finish(region, line + OpenState(stack).closers + rest)
        yield f"{region.above}{head} {MARK}():\n{region.margin}    {MARK}"


def _finish(region: Region, line: str) -> Iterator[str]:
    """Yields a line with what closes it and what has to follow its statement."""
    closers = open_after(line, region.before_line).closers
    opening = region.opening
    for end in (f"\n{closers}", f"\n{MARK}{closers}") if closers else ("",):
        text = f"{region.above}{line}{end}"
        if opening.startswith("@"):
            yield f"{text}\n{region.margin}def {MARK}(): {MARK}"
        elif _BLOCK.match(opening):
            yield f"{text}:\n{region.margin}    {MARK}"
            yield f"{text}\n{region.margin}    {MARK}"
            yield text
        else:
            yield text
