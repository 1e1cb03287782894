"""Rules about where a suggestion ends, and about its white space and indentation."""

import re
from collections.abc import Sequence
from dataclasses import replace

from server.suggestion.cursor_context import CursorContext
from server.suggestion.extent import Extent, cut
from server.suggestion.result import Suggestion
from server.syntax.region import TAB_COLUMNS

# Or the last number, with the comma before it.
_LAST_WORD = re.compile(r"(?:,[ \t]*)?(?:(?<!\w)\d+\.)?(?<!\w)\w+\Z")
_LEVEL_COLUMNS = 4  # if no line is indented with spaces


def end_of_scope(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Ends it where its line or block ends."""
    text, is_ended = cut(suggestion.text, cursor.scope)
    return replace(suggestion, text=text, is_whole=suggestion.is_whole or is_ended)


def unfinished_line(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Drops the last line of a block in which the model was interrupted; of a line, the word."""
    if suggestion.is_whole:
        return suggestion
    text, newline, _ = suggestion.text.rpartition("\n")
    if cursor.scope.extent is Extent.LINE or not newline:
        text = _LAST_WORD.sub("", suggestion.text)
    return replace(suggestion, text=text)


def trailing_space(suggestion: Suggestion, _: CursorContext) -> Suggestion:
    """Removes whitespace at the end; nothing is left of a text that consists of it."""
    return replace(suggestion, text=suggestion.text.rstrip())


def broken_character(suggestion: Suggestion, _: CursorContext) -> Suggestion:
    """Ends it before invalid UTF-8 or a control character."""
    at = re.search("[\ufffd\x00-\x08\x0b-\x1f\x7f]", suggestion.text)
    return replace(suggestion, text=suggestion.text[: at.start()]) if at else suggestion


def indentation(suggestion: Suggestion, cursor: CursorContext) -> Suggestion:
    """Indents with tabs if the file does, otherwise with spaces."""
    lines = suggestion.text.split("\n")
    own = [
        line for line in (*cursor.above, cursor.head) if line[:1] in {" ", "\t"} and line.strip()
    ]
    if not own or len(lines) == 1:
        return suggestion
    wants_tabs = own[-1][0] == "\t"
    level = TAB_COLUMNS if wants_tabs else _level_columns(own)
    lines[1:] = [_indent(line, level, wants_tabs=wants_tabs) for line in lines[1:]]
    return replace(suggestion, text="\n".join(lines))


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
