"""Finds names that a suggestion uses and that occur nowhere else: small models invent them."""

import builtins
import re
from collections.abc import Callable

from server.syntax.open_brackets import open_after, statement_at
from server.syntax.parse_tree import find_names

_ALWAYS = frozenset(dir(builtins)) | {"self", "cls", "__file__", "__name__", "__class__"}


def unknown_names(
    before: str, text: str, after: str, *, is_known_elsewhere: Callable[[str], bool]
) -> list[str]:
    """Returns the names that ``text`` uses at the cursor and that occur nowhere else.

    Args:
        before: All text before the cursor.
        text: The suggestion.
        after: All text after the cursor.
        is_known_elsewhere: Called last: returns whether a name occurs in another file.
    """
    statement = statement_at(before)
    completed = statement.text + text
    line_start = statement.text.rfind("\n") + 1
    closers = open_after(completed[line_start:], statement.before).closers
    used, bound = find_names(completed + closers, len(statement.text))
    return [
        name
        for name in dict.fromkeys(used)
        if name not in _ALWAYS
        and name not in bound
        and not _occurs_in(name, before)
        and not _occurs_in(name, after)
        and not is_known_elsewhere(name)
    ]


def _occurs_in(name: str, text: str) -> bool:
    return name in text and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
