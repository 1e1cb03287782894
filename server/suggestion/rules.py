"""Rules that trim, repair or discard what the model generated: pure functions, each with a name.

A rule receives a suggestion and its cursor's context, and returns it unchanged, changed or empty.
The suggestion records the name of each rule that changed it, so that "Why is nothing shown?" has an
answer; the names appear in the event log. How far a suggestion extends was decided before, by
:mod:`server.suggestion.extent`. Called by :mod:`server.suggestion.postprocessing`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from server.suggestion.cursor_context import CursorContext
from server.suggestion.extent import Extent, cut
from server.suggestion.result import Suggestion
from server.suggestion.secret_shapes import looks_secret

_CLOSERS = {")": "(", "]": "[", "}": "{"}
_QUOTES = "\"'"
_LOOP = re.compile(r"(.{1,24}?)\1{5,}", re.DOTALL)
_LEVEL_COLUMNS = 4  # if no line is indented with spaces
_TAB_COLUMNS = 8  # as in Python's grammar
_MAX_EQUAL_LINES = 3  # a line that occurs so often is a loop
_MIN_REPEATED_CHARS = 8  # shorter lines may well occur twice


Rule = Callable[[Suggestion, CursorContext], Suggestion]


def apply_rules(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Applies all rules in order; an empty text means that nothing is shown."""
    for rule in RULES:
        changed = rule(suggestion, cursor)
        if (changed.text, changed.covered) != (suggestion.text, suggestion.covered):
            changed = replace(changed, rules=(*suggestion.rules, rule.__name__))
        suggestion = changed
        if not suggestion.text:
            break
    return suggestion


def end_of_scope(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Ends it where its line or block ends."""
    text, is_ended = cut(suggestion.text, cursor.scope)
    return replace(suggestion, text=text, is_whole=suggestion.is_whole or is_ended)


def unfinished_line(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Drops the last line of a block in which the model was interrupted."""
    text, newline, _ = suggestion.text.rpartition("\n")
    if suggestion.is_whole or cursor.scope.extent is Extent.LINE or not newline:
        return suggestion
    return replace(suggestion, text=text)


def trailing_space(suggestion: Suggestion, _: CursorContext) -> Suggestion:
    """Removes whitespace at the end; nothing is left of a text that consists of it."""
    return replace(suggestion, text=suggestion.text.rstrip())


def broken_character(suggestion: Suggestion, _: CursorContext) -> Suggestion:
    """Ends it before invalid UTF-8 or a control character."""
    at = re.search("[\ufffd\x00-\x08\x0b-\x1f\x7f]", suggestion.text)
    return replace(suggestion, text=suggestion.text[: at.start()]) if at else suggestion


def loop(suggestion: Suggestion, _: CursorContext) -> Suggestion:
    """Ends it before a line that repeats itself, or after a line that was generated too often."""
    for cycle in _LOOP.finditer(suggestion.text):
        if re.search(r"\w", cycle.group(1)):  # rulers and indentation are repetitive by nature
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


def repeats_above(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Drops it if it only repeats the line above."""
    first = _first_line(suggestion, cursor)
    above = next((line.strip() for line in reversed(cursor.above) if line.strip()), "")
    if not cursor.head.strip() or suggestion.text.startswith("\n"):
        above = cursor.head.strip() or above
    is_same = first == above and len(first) >= _MIN_REPEATED_CHARS
    return replace(suggestion, text="") if is_same else suggestion


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


def stands_behind(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Removes from its end what already follows the cursor."""
    tail = cursor.tail.rstrip()
    if not tail:
        return suggestion
    for length in range(min(len(tail), len(suggestion.text)), 0, -1):
        is_there = suggestion.text.endswith(tail[:length])
        if is_there and _is_separate(suggestion.text, tail, length):
            return replace(suggestion, text=suggestion.text[:-length])
    return suggestion


def looks_like_a_secret(suggestion: Suggestion, _: CursorContext) -> Suggestion:
    """Drops what looks like a key or a token: it is invented or somebody's."""
    return replace(suggestion, text="") if looks_secret(suggestion.text) else suggestion


def covers_closers(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Replaces auto-closed brackets and quotes after the cursor that the text itself closes."""
    closed = _closed_from_outside(suggestion.text, cursor.head)
    covered = 0
    for closer in closed:
        if cursor.tail[covered : covered + 1] != closer:
            break
        covered += 1
    return replace(suggestion, covered=covered)


def closes_brackets(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Closes brackets that the line opened and the model left open."""
    if not suggestion.is_whole or suggestion.covered:
        return suggestion
    return replace(
        suggestion, text=suggestion.text + cursor.grammar.missing_closers(suggestion.text)
    )


def unfitting(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Keeps the part of it that is valid Python here, or nothing."""
    is_whole = suggestion.is_whole and not cursor.tail[suggestion.covered :].strip()
    text = cursor.grammar.longest_fit(suggestion.text, suggestion.covered, is_whole=is_whole)
    return replace(suggestion, text=text)


def indentation(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Indents with tabs if the file does, otherwise with spaces."""
    lines = suggestion.text.split("\n")
    own = [
        line for line in (*cursor.above, cursor.head) if line[:1] in {" ", "\t"} and line.strip()
    ]
    if not own or len(lines) == 1:
        return suggestion
    wants_tabs = own[-1][0] == "\t"
    level = _TAB_COLUMNS if wants_tabs else _level_columns(own)
    lines[1:] = [_indent(line, level, wants_tabs=wants_tabs) for line in lines[1:]]
    return replace(suggestion, text="\n".join(lines))


RULES: tuple[Rule, ...] = (
    end_of_scope,
    unfinished_line,
    broken_character,
    trailing_space,
    indentation,
    loop,
    stands_behind,
    repeats_above,
    repeats_below,
    trailing_space,
    looks_like_a_secret,
    covers_closers,
    closes_brackets,
    unfitting,
)


def _first_line(suggestion: Suggestion, cursor: CursorContext) -> str:
    """Returns the first non-blank line that the suggestion completes, without indentation."""
    lines = suggestion.text.split("\n")
    lines[0] = cursor.head + lines[0] if lines[0].strip() or not cursor.head.strip() else ""
    return next((line.strip() for line in lines if line.strip()), "")


def _level_columns(lines: Sequence[str]) -> int:
    """Returns the width of an indentation level, by the narrowest indentation."""
    widths = [len(line) - len(line.lstrip(" ")) for line in lines if line.startswith(" ")]
    return min((width for width in widths if width > 1), default=_LEVEL_COLUMNS)


def _indent(line: str, level: int, *, wants_tabs: bool) -> str:
    """Returns a line indented with tabs or with spaces."""
    rest = line.lstrip(" \t")
    margin = line[: len(line) - len(rest)]
    if wants_tabs and " " in margin:
        levels, odd = divmod(len(margin.replace("\t", " " * level)), level)
        return "\t" * levels + " " * odd + rest
    if not wants_tabs and "\t" in margin:
        return margin.replace("\t", " " * level) + rest
    return line


def _is_distinctive(line: str) -> bool:
    return sum(character.isalnum() for character in line) > 2  # noqa: PLR2004 - "else" counts


def _is_separate(text: str, tail: str, length: int) -> bool:
    """Returns whether the overlap splits no word and closes no bracket that the text opened."""
    before, after = text[-length - 1 : -length], tail[length : length + 1]
    splits_text = _is_word(before) and _is_word(tail[0])
    splits_tail = _is_word(tail[length - 1]) and _is_word(after)
    return not (splits_text or splits_tail or _closes_own_bracket(text, length))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _closes_own_bracket(text: str, length: int) -> bool:
    """Returns whether the last ``length`` characters close a bracket that the text opened."""
    depth: list[str] = []
    for index, character in enumerate(text):
        if character in "([{":
            depth.append(character)
        elif character in _CLOSERS and depth and depth[-1] == _CLOSERS[character]:
            depth.pop()
            if index >= len(text) - length:
                return True
    return False


def _closed_from_outside(text: str, head: str) -> str:
    """Returns the closing brackets and quotes in ``text`` that were opened before it."""
    depth: list[str] = []
    quote = _open_quote(head)
    found = ""
    for character in text.partition("\n")[0]:
        if quote:
            if character == quote:
                quote = ""
                if not depth or depth[-1] != character:
                    found += character
                else:
                    depth.pop()
        elif character in _QUOTES:
            quote = character
            depth.append(character)
        elif character in "([{":
            depth.append(character)
        elif character in _CLOSERS:
            if depth and depth[-1] == _CLOSERS[character]:
                depth.pop()
            else:
                found += character
    return found


def _open_quote(head: str) -> str:
    """Returns the quote character of the string that ``head`` ends in, or nothing."""
    quote = ""
    escaped = False
    for character in head:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
        elif character == "#":
            return ""
    return quote
