"""The window: whole lines before and after the cursor, or what fits of a long one, within a budget.

Pure: a document and an offset in, two strings out. The window's first line depends only on the
lines above the cursor's line and moves in large steps, so that typing within a line never moves it
and the cache stays valid. The caller's function counts tokens; :mod:`server.prompt.layout` lays
the prompt out.
"""

from collections.abc import Callable
from dataclasses import dataclass

_CHARS_PER_TOKEN = 32  # no token is longer, so a line with more cannot fit its budget
_MAX_CHAR_TOKENS = 4  # a character has up to four bytes, each of them a token at worst
_AUTO_CLOSED = " \t)]}\"':,"
_LINE_CHARS = 1024  # of a very long line, between one and two times as many are seen


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The most tokens before and after the cursor.

    The window's first line is a multiple of ``step_lines``.
    """

    prefix_tokens: int
    suffix_tokens: int
    step_lines: int

    @classmethod
    def within(
        cls, room_tokens: int, *, prefix_tokens: int, suffix_tokens: int, step_lines: int
    ) -> "Budget":
        """Returns the budget, shrunk in proportion if it does not fit ``room_tokens``."""
        share = min(1.0, room_tokens / (prefix_tokens + suffix_tokens))
        return cls(
            prefix_tokens=max(1, int(prefix_tokens * share)),
            suffix_tokens=int(suffix_tokens * share),
            step_lines=step_lines,
        )


@dataclass(frozen=True, kw_only=True)
class Window:
    """The text around the cursor; ``context`` is text from other files that precedes it."""

    prefix: str
    suffix: str
    context: str = ""


def window_at(text: str, offset: int, budget: Budget, count_tokens: Callable[[str], int]) -> Window:
    """Returns the window at the cursor.

    Args:
        text: The document; lines end with a line feed.
        offset: The cursor, in characters, between 0 and ``len(text)``.
        budget: The most tokens.
        count_tokens: Returns the number of tokens of a line.
    """
    return Window(
        prefix=text[_start(text, offset, budget, count_tokens) : offset],
        suffix=text[offset : _end(text, offset, budget, count_tokens)],
    )


def stable_suffix(suffix: str) -> str:
    """Returns the part of a window's suffix that stays the same while a line is typed.

    Brackets and quotes that an editor closes automatically come and go with each key. The suffix is
    at the head of the prompt, where each change invalidates the whole cache, and they tell the
    model next to nothing, so they are left out.
    """
    tail, newline, below = suffix.partition("\n")
    return newline + below if tail and not tail.strip(_AUTO_CLOSED) else suffix


def _start(text: str, offset: int, budget: Budget, count_tokens: Callable[[str], int]) -> int:
    line_start = text.rfind("\n", 0, offset) + 1
    own_start, own_tokens = _own_line(text, line_start, offset, budget.prefix_tokens, count_tokens)
    if own_start > line_start:  # only a part of this line fits
        return own_start
    starts, sizes = _lines_above(text, line_start, budget.prefix_tokens - own_tokens, count_tokens)
    if not starts:
        return line_start
    if starts[-1] == 0:
        return 0
    first_index = text.count("\n", 0, starts[-1])  # the number of the highest line that fits
    return _snap_start(starts, sizes, first_index, budget.step_lines)


def _own_line(
    text: str, line_start: int, offset: int, budget_tokens: int, count_tokens: Callable[[str], int]
) -> tuple[int, int]:
    """Returns what fits of the cursor's own line, and how many tokens are reserved for it.

    Both change in large steps: a quarter of the budget is enough for almost every line.
    """
    reserved = max(1, budget_tokens // 4)
    step = _LINE_CHARS
    start = _last_steps(line_start, offset, step)
    own = text[start:offset]
    if len(own) * (1 if own.isascii() else _MAX_CHAR_TOKENS) <= reserved:
        return start, reserved
    size = count_tokens(own)
    while size > budget_tokens and step > 1:
        step //= 2
        start = _last_steps(line_start, offset, step)
        size = count_tokens(text[start:offset])
    while size > reserved:
        reserved *= 2
    return start, min(reserved, budget_tokens)


def _last_steps(line_start: int, offset: int, step: int) -> int:
    """Returns where the last one or two steps of a line begin; its start if it is not longer."""
    return line_start + max(0, (offset - line_start) // step - 1) * step


def _lines_above(
    text: str, line_start: int, budget_tokens: int, count_tokens: Callable[[str], int]
) -> tuple[list[int], list[int]]:
    """Returns the starts and token counts of the lines above that fit, the nearest first."""
    starts: list[int] = []
    sizes: list[int] = []
    end = line_start
    while end > 0:
        start = text.rfind("\n", 0, end - 1) + 1
        if end - start > budget_tokens * _CHARS_PER_TOKEN:
            break
        size = count_tokens(text[start:end])
        budget_tokens -= size
        if budget_tokens < 0:
            break
        starts.append(start)
        sizes.append(size)
        end = start
    return starts, sizes


def _snap_start(starts: list[int], sizes: list[int], first_index: int, step_lines: int) -> int:
    """Returns the start, moved down to a line number that is a multiple of the step.

    The step is halved while that would give up more than half of the tokens that fit.
    """
    total = sum(sizes)
    step = step_lines
    while step > 1:
        dropped = -first_index % step
        kept = len(starts) - dropped
        if kept > 0 and 2 * sum(sizes[:kept]) >= total:
            return starts[kept - 1]
        step //= 2
    return starts[-1]


def _end(text: str, offset: int, budget: Budget, count_tokens: Callable[[str], int]) -> int:
    if budget.suffix_tokens == 0:
        return offset
    end = offset
    left = budget.suffix_tokens
    while end < len(text) and left > 0:
        reach = min(len(text), end + left * _CHARS_PER_TOKEN)
        newline = text.find("\n", end, reach)
        next_end = newline + 1 if newline >= 0 else reach
        size = count_tokens(text[end:next_end])
        while size > left and end == offset < next_end:  # what fits of the cursor's own line
            next_end, newline = end + (next_end - end) // 2, -1
            size = count_tokens(text[end:next_end])
        left -= size
        if left < 0:
            break
        end = next_end
        if newline < 0:  # the line continues beyond the budget, or the text ends
            break
    return end
