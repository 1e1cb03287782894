"""What the model sees of a document: whole lines before and behind the cursor, within a budget.

Pure: a document and an offset in, two strings out. The window's first line moves in large steps, a
function of the lines above the cursor's line only, so that typing within a line never moves it and
what the model has computed stays valid. Tokens are counted by the caller's function; laying out
the prompt is :mod:`server.prompt.layout`'s work.
"""

from collections.abc import Callable
from dataclasses import dataclass

from server.settings import ContextSettings

_CHARS_PER_TOKEN = 32  # no token is longer, so a line longer than this by its budget cannot fit
_CLOSED_BY_ITSELF = " \t)]}\"':,"
_LINE_CHARS = 1024  # of the cursor's own line: one to two times as many are seen


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The most tokens that may stand before and behind the cursor."""

    prefix_tokens: int
    suffix_tokens: int
    step_lines: int

    @classmethod
    def within(cls, settings: ContextSettings, room_tokens: int) -> "Budget":
        """Shrinks the settings' budget in proportion until it fits ``room_tokens``."""
        wanted = settings.prefix_tokens + settings.suffix_tokens
        share = min(1.0, room_tokens / wanted)
        return cls(
            prefix_tokens=max(1, int(settings.prefix_tokens * share)),
            suffix_tokens=int(settings.suffix_tokens * share),
            step_lines=settings.step_lines,
        )


@dataclass(frozen=True, kw_only=True)
class Window:
    """The text around the cursor, and what of other files stands before it, whole lines."""

    prefix: str
    suffix: str
    context: str = ""


def window_at(text: str, offset: int, budget: Budget, count: Callable[[str], int]) -> Window:
    """Returns what is seen from ``offset`` (in characters).

    Args:
        text: The document; lines end with a line feed.
        offset: The cursor, between 0 and ``len(text)``.
        budget: How much.
        count: How many tokens a line has.
    """
    return Window(
        prefix=text[_start(text, offset, budget, count) : offset],
        suffix=text[offset : _end(text, offset, budget, count)],
    )


def lasting_suffix(suffix: str) -> str:
    """Returns what of a window's suffix stays while a line is typed.

    Brackets and quotes that an editor closes by itself come and go with each key, and at the head
    of the prompt they would undo all that is computed. They tell next to nothing, so they are left
    out.
    """
    tail, newline, below = suffix.partition("\n")
    return newline + below if tail and not tail.strip(_CLOSED_BY_ITSELF) else suffix


def _start(text: str, offset: int, budget: Budget, count: Callable[[str], int]) -> int:
    line_start = text.rfind("\n", 0, offset) + 1
    if offset - line_start >= 2 * _LINE_CHARS:  # nothing but a part of this one line fits
        return line_start + ((offset - line_start) // _LINE_CHARS - 1) * _LINE_CHARS
    own_tokens = max(1, budget.prefix_tokens // 4)  # kept free for the cursor's own line
    starts, sizes = _lines_above(text, line_start, budget.prefix_tokens - own_tokens, count)
    if not starts:
        return line_start
    if starts[-1] == 0:
        return 0
    first_index = text.count("\n", 0, starts[-1])  # the line number of the highest that fits
    return _snapped(starts, sizes, first_index, budget.step_lines)


def _lines_above(
    text: str, line_start: int, budget_tokens: int, count: Callable[[str], int]
) -> tuple[list[int], list[int]]:
    """Walks up; returns the starts and token counts of the lines that fit, nearest first."""
    starts: list[int] = []
    sizes: list[int] = []
    end = line_start
    while end > 0:
        start = text.rfind("\n", 0, end - 1) + 1
        if end - start > budget_tokens * _CHARS_PER_TOKEN:
            break
        size = count(text[start:end])
        budget_tokens -= size
        if budget_tokens < 0:
            break
        starts.append(start)
        sizes.append(size)
        end = start
    return starts, sizes


def _snapped(starts: list[int], sizes: list[int], first_index: int, step_lines: int) -> int:
    """Moves the start down to a line number that is a multiple of a step.

    The step is halved while snapping would give away more than half of the tokens that fit.
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


def _end(text: str, offset: int, budget: Budget, count: Callable[[str], int]) -> int:
    if budget.suffix_tokens == 0:
        return offset
    end = offset
    left = budget.suffix_tokens
    while end < len(text) and left > 0:
        reach = min(len(text), end + left * _CHARS_PER_TOKEN)
        newline = text.find("\n", end, reach)
        next_end = newline + 1 if newline >= 0 else reach
        left -= count(text[end:next_end])
        if left < 0 and end > offset:
            break
        end = next_end
        if newline < 0:  # the line goes on out of reach, or the text ends
            break
    return end
