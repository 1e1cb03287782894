"""Rules that make a suggestion fit the code around it: names, brackets, grammar, and its worth."""

import re
from dataclasses import replace

from server.suggestion.cursor_context import CursorContext, is_word
from server.suggestion.result import Suggestion
from server.syntax.open_brackets import scan_line
from server.workspace.sources.secret_shapes import looks_secret

_TRIVIAL_CHARS = 3  # so many at most are as quickly typed as read
_WORD_END = re.compile(r"\w*\Z")
_WORD_START = re.compile(r"\w*")


def looks_like_a_secret(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Drops what looks like a key or a token, or makes one: it is invented or somebody's."""
    head, text, tail = cursor.head, suggestion.text, cursor.tail
    makes_secret = looks_secret(head + text + tail) and not looks_secret(head + tail)
    return replace(suggestion, text="") if makes_secret or looks_secret(text) else suggestion


def covers_closers(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Replaces auto-closed brackets and quotes after the cursor that the text itself closes."""
    at_cursor = cursor.grammar.at_cursor
    at_end = scan_line(suggestion.text.partition("\n")[0], at_cursor)
    n_open = 0
    for before, after in zip(at_cursor.stack, at_end.stack, strict=False):
        if before != after:
            break
        n_open += 1
    closed = at_cursor.close_above(n_open)
    covered = 0
    while covered < len(closed) and cursor.tail.startswith(closed[: covered + 1]):
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
    text, covered = cursor.grammar.longest_fit(
        suggestion.text, suggestion.covered, is_whole=suggestion.is_whole
    )
    return replace(suggestion, text=text, covered=covered)


def inside_name(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Drops what would become a part of the name at the cursor, unless that makes a known name."""
    text, behind = suggestion.text, cursor.tail[suggestion.covered :]
    is_inside = is_word(cursor.head[-1:]) and is_word(cursor.tail[:1])
    if not is_inside and not (is_word(text[-1:]) and is_word(behind[:1])):
        return suggestion
    before, after = _WORD_END.search(cursor.head), _WORD_START.match(behind)
    name = (before[0] if before else "") + text + (after[0] if after else "")
    if name.isidentifier() and cursor.has_name(name):
        return suggestion
    return replace(suggestion, text="", covered=0)


def trivial(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Drops what is more quickly typed than read, unless every suggestion is wanted."""
    if cursor.may_be_trivial or len(suggestion.text.strip()) > _TRIVIAL_CHARS:
        return suggestion
    return replace(suggestion, text="", covered=0)
