"""Rules against repetition: of itself, of what stands above, behind or below the cursor."""

import re
from dataclasses import replace

from server.suggestion.cursor_context import CursorContext, is_word
from server.suggestion.extent import Extent
from server.suggestion.result import Suggestion

_CLOSERS = {")": "(", "]": "[", "}": "{"}
_CYCLES = (
    re.compile(r"(?P<unit>.{1,24}?)(?P=unit){5,}", re.DOTALL),
    re.compile(r"(?P<unit>.{5,60}?)(?P=unit){3,}"),
    re.compile(r"(?P<unit>.{3,4}?)(?P=unit){4,}"),
)
_WORD = re.compile(r"\w")
_LETTER = re.compile(r"[^\W\d]")
_MAX_EQUAL_CHARACTERS = 16  # as in 0xffffffffffffffff
_TOKEN = re.compile(r"\w+|[^\w\s]|\s+")
_BESIDE_CODE = " ,:)]}\"'"  # what stands around the code behind the cursor
_MAX_EQUAL_LINES = 3  # a line that occurs so often is a loop
_MIN_REPEATED_CHARS = 8  # shorter lines may well occur twice
_MIN_COPIED_LINES = 3  # two equal lines are idiom


def loop(suggestion: Suggestion, _: CursorContext) -> Suggestion:
    """Ends it before a line that repeats itself, or after a line that was generated too often."""
    for cycle in (x for cycles in _CYCLES for x in cycles.finditer(suggestion.text)):
        if _is_loop(cycle, suggestion):
            return replace(suggestion, text=suggestion.text[: cycle.start()].rpartition("\n")[0])
    counts: dict[str, int] = {}
    lines = suggestion.text.split("\n")
    for index, line in enumerate(lines):
        key = line.strip()
        counts[key] = counts.get(key, 0) + 1
        is_twice = index > 0 and key == lines[index - 1].strip()
        if len(key) >= _MIN_REPEATED_CHARS and (is_twice or counts[key] == _MAX_EQUAL_LINES):
            first = next(i for i, other in enumerate(lines) if other.strip() == key)
            return replace(suggestion, text="\n".join(lines[: first + 1]))
    return suggestion


def _is_loop(cycle: re.Match[str], suggestion: Suggestion) -> bool:
    """Returns whether no author would write this: rulers, indentation and constants are cyclic.

    Numbers may be, unless the model was interrupted in the middle of them.
    """
    text = cycle.group()
    if len(set(text)) == 1 and len(text) <= _MAX_EQUAL_CHARACTERS:
        return False
    is_endless = len(suggestion.text) - cycle.end() < len(cycle["unit"])
    may_be_numbers = suggestion.is_whole or not is_endless
    return (_LETTER if may_be_numbers else _WORD).search(text) is not None


def stands_behind(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Removes from its end what already follows the cursor."""
    tail, fits = cursor.tail[suggestion.covered :].rstrip(), cursor.grammar.fits
    if not tail:
        return suggestion
    for length in range(min(len(tail), len(suggestion.text)), 0, -1):
        is_there = suggestion.text.endswith(tail[:length])
        if is_there and _is_separate(suggestion.text, tail, length):
            shorter = suggestion.text[:-length]
            covered = suggestion.covered
            is_needed = fits(suggestion.text, covered) and not fits(shorter, covered)
            return suggestion if is_needed else replace(suggestion, text=shorter)
    core = tail.strip(_BESIDE_CODE)
    at = _find_whole(core, suggestion.text) if _is_distinctive(core) else -1
    return suggestion if at < 0 else replace(suggestion, text=suggestion.text[:at].rstrip(" ,"))


def repeats_behind(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Drops it if it begins with the same code as what follows the cursor."""
    common = ""
    pairs = zip(_TOKEN.findall(suggestion.text), _TOKEN.findall(cursor.tail), strict=False)
    for mine, other in pairs:
        if mine != other:
            break
        common += mine
    is_same = re.search(r"\w{2}|\W\w|\(", common.strip()) is not None and len(common.strip()) > 1
    return replace(suggestion, text="") if is_same else suggestion


def repeats_above(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Drops it if it only repeats the line above."""
    first = _first_line(suggestion, cursor)
    above = next((line.strip() for line in reversed(cursor.above) if line.strip()), "")
    if not cursor.head.strip() or suggestion.text.startswith("\n"):
        above = cursor.head.strip() or above
    is_same = first == above and len(first) >= _MIN_REPEATED_CHARS
    return replace(suggestion, text="") if is_same else suggestion


def copies_above(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Drops a block of which all lines stand above in the same order."""
    lines = [line.strip() for line in suggestion.text.split("\n") if line.strip()]
    if lines and not suggestion.text.startswith("\n") and cursor.head.strip():
        lines[0] = (cursor.head + lines[0]).strip()
    n_lines = len(lines)
    if (
        cursor.scope.extent is Extent.LINE
        or n_lines < _MIN_COPIED_LINES
        or not any(_is_distinctive(line) for line in lines)
    ):
        return suggestion
    above = [line.strip() for line in cursor.window.prefix.split("\n")[:-1] if line.strip()]
    starts = (i for i, line in enumerate(above) if line == lines[0])
    is_copy = any(above[i : i + n_lines] == lines for i in starts)
    return replace(suggestion, text="") if is_copy else suggestion


def repeats_below(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Ends it before the lines that already follow below."""
    below = [line.strip() for line in cursor.below if line.strip()]
    if not below:
        return suggestion
    lines = suggestion.text.split("\n")
    completed = [line.strip() for line in lines]
    completed[0] = (cursor.head + completed[0]).strip()
    for index, line in enumerate(completed):
        rest = [m for m in completed[index:] if m]
        if line and rest == below[: len(rest)] and (len(rest) > 1 or _is_distinctive(line)):
            return replace(suggestion, text="\n".join(lines[:index]))
    return suggestion


def _first_line(suggestion: Suggestion, cursor: CursorContext) -> str:
    """Returns the first non-blank line that the suggestion completes, without indentation."""
    lines = suggestion.text.split("\n")
    lines[0] = cursor.head + lines[0] if lines[0].strip() or not cursor.head.strip() else ""
    return next((line.strip() for line in lines if line.strip()), "")


def _is_distinctive(line: str) -> bool:
    return sum(character.isalnum() for character in line) > 2  # noqa: PLR2004 - "else" counts


def _find_whole(code: str, text: str) -> int:
    """Returns where ``code`` occurs in a text, not as a part of a longer name; -1 if nowhere."""
    before = r"(?<!\w)" if is_word(code[0]) else ""
    after = r"(?!\w)" if is_word(code[-1]) else ""
    found = re.search(f"{before}{re.escape(code)}{after}", text)
    return -1 if found is None else found.start()


def _is_separate(text: str, tail: str, length: int) -> bool:
    """Returns whether the overlap splits no word and closes no bracket that the text opened."""
    before, after = text[-length - 1 : -length], tail[length : length + 1]
    splits_text = is_word(before) and is_word(tail[0])
    splits_tail = is_word(tail[length - 1]) and is_word(after)
    only_closes = not tail[:length].strip(_BESIDE_CODE)
    closes_own = only_closes and _closes_own_bracket(text, length)
    return not (splits_text or splits_tail or closes_own)


def _closes_own_bracket(text: str, length: int) -> bool:
    """Returns whether the last ``length`` characters close a bracket opened before them."""
    depth: list[str] = []
    start = len(text) - length
    for index, character in enumerate(text):
        if character in "([{":
            depth.append(character if index < start else "")
        elif character in _CLOSERS and depth:
            if index >= start and depth[-1] == _CLOSERS[character]:
                return True
            depth.pop()
    return False
