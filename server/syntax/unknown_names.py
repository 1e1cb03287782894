"""The names that a suggestion uses and that exist nowhere: what a small model makes up."""

import builtins
import re
from collections.abc import Callable

from server.syntax.open_brackets import open_behind, unit_of
from server.syntax.parse_tree import names_in

_ALWAYS = frozenset(dir(builtins)) | {"self", "cls", "__file__", "__name__", "__class__"}


def unknown_names(
    prefix: str, text: str, suffix: str, *, is_known_elsewhere: Callable[[str], bool]
) -> list[str]:
    """Returns the names that ``text`` uses at the cursor and that stand nowhere else.

    Args:
        prefix: All that stands before the cursor.
        text: The suggestion.
        suffix: All that stands behind it.
        is_known_elsewhere: Asked last: whether another file knows a name.
    """
    unit = unit_of(prefix)
    made = unit.text + text
    line_start = unit.text.rfind("\n") + 1
    closers = open_behind(made[line_start:], unit.before).closers
    used, bound = names_in(made + closers, len(unit.text))
    return [
        name
        for name in dict.fromkeys(used)
        if name not in _ALWAYS
        and name not in bound
        and not _stands_in(name, prefix)
        and not _stands_in(name, suffix)
        and not is_known_elsewhere(name)
    ]


def _stands_in(name: str, text: str) -> bool:
    return name in text and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
