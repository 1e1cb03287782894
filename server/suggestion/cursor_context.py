"""What the completer knows of a request's cursor; everything after the window refers to it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from server.prompt.window import Window
from server.suggestion.extent import Scope
from server.syntax.grammar_check import GrammarCheck
from server.syntax.open_brackets import NOTHING_OPEN, open_after, scan_line

_MAX_AFTER_CHARS = 8_000  # of the text after the cursor, for the rules
_MAX_UNSEEN_CHARS = 32 << 10  # on each side; up to a tenth of a second to index
_MAX_SCANNED_CHARS = 64 << 10  # for names in code; about 30 ms if no line was scanned before
_MAX_LINES = 24  # above and below the cursor, for the rules


@dataclass(frozen=True, kw_only=True)
class CursorContext:
    """The text around the cursor and how far a suggestion may extend there.

    Attributes:
        before: The document's text before the cursor.
        after: The document's text after the cursor.
        window: The part of it that the model sees.
        scope: Where a suggestion has to end.
        may_be_trivial: Whether a suggestion of a few characters is shown, too.
        is_known_elsewhere: Returns whether a name occurs in another file.
    """

    before: str
    after: str
    window: Window
    scope: Scope
    may_be_trivial: bool = True
    is_known_elsewhere: Callable[[str], bool] = lambda _: False

    @cached_property
    def unseen(self) -> tuple[str, str]:
        """The document's text above and below the window."""
        above = self.before[: len(self.before) - len(self.window.prefix)]
        suffix = self.window.suffix
        end = len(suffix) if self.after.startswith(suffix) else len(self.tail) + len(suffix)
        below = self.after[end:]
        return above[-_MAX_UNSEEN_CHARS:], below[:_MAX_UNSEEN_CHARS]

    @cached_property
    def head(self) -> str:
        """The cursor's line before the cursor."""
        return self.window.prefix.rpartition("\n")[2]

    @cached_property
    def tail(self) -> str:
        """The cursor's line after the cursor."""
        return self.after[:_MAX_AFTER_CHARS].partition("\n")[0]

    @cached_property
    def above(self) -> tuple[str, ...]:
        """The nearest lines above the cursor's, in the document's order."""
        return tuple(self.window.prefix.split("\n")[:-1][-_MAX_LINES:])

    @cached_property
    def below(self) -> tuple[str, ...]:
        """The nearest lines below the cursor's."""
        return tuple(self.after[:_MAX_AFTER_CHARS].split("\n")[1 : _MAX_LINES + 1])

    @cached_property
    def grammar(self) -> GrammarCheck:
        """Checks which texts fit the grammar at the cursor."""
        return GrammarCheck(before=self.before, after=self.after[:_MAX_AFTER_CHARS])

    def has_name(self, name: str) -> bool:
        """Returns whether a name occurs in the document's code, or anywhere in a long document."""
        text = self.before + self.after
        word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        found = word.finditer(text)
        if len(text) > _MAX_SCANNED_CHARS:
            return next(found, None) is not None
        at, state = 0, NOTHING_OPEN
        for match in found:
            line_start = text.rfind("\n", 0, match.start()) + 1
            if line_start > at:
                state = open_after(text[at:line_start], state)
                at = line_start
            here = scan_line(text[line_start : match.start()], state)
            if not (here.quote or here.in_comment):
                return True
        return False


def is_word(character: str) -> bool:
    """Returns whether a character may be a part of a name; false for none."""
    return character.isalnum() or character == "_"
