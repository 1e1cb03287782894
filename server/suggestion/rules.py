"""From what the model wrote to what is shown: pure rules, each with a name.

A rule gets a suggestion and what stands around it and returns it unchanged, trimmed, or empty; a
rule that changes anything is named in the result, so that "why was nothing shown" has an answer.
Where a suggestion ends is :mod:`server.suggestion.extent`'s decision, taken before. Called by the
completer.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from server.suggestion.extent import Extent, Scope, cut
from server.suggestion.privacy import looks_secret
from server.syntax.grammar_check import Fitter

_CLOSERS = {")": "(", "]": "[", "}": "{"}
_QUOTES = "\"'"
_LOOP = re.compile(r"(.{1,24}?)\1{5,}", re.DOTALL)
_LEVEL = 4  # columns, where nothing is indented by spaces
_TAB_COLUMNS = 8  # as Python has it
_SAME_LINES = 3  # a line said that often is a loop
_MIN_REPEATED_CHARS = 8  # shorter lines may well stand twice


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What stands around the cursor."""

    head: str  # of the cursor's line
    tail: str
    above: tuple[str, ...]  # the nearest lines, in the document's order
    below: tuple[str, ...]
    scope: Scope
    fitter: Fitter

    @classmethod
    def of(
        cls, prefix: str, suffix: str, scope: Scope, fitter: Fitter, *, n_lines: int = 24
    ) -> "Surroundings":
        """Takes them from the text before and behind the cursor."""
        *above, head = prefix.split("\n")
        tail, *below = suffix.split("\n")
        return cls(
            head=head,
            tail=tail,
            above=tuple(above[-n_lines:]),
            below=tuple(below[:n_lines]),
            scope=scope,
            fitter=fitter,
        )


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A text to insert, replacing ``covered`` characters behind the cursor.

    ``rules`` are the names of those that changed it, in order.
    """

    text: str
    covered: int = 0
    is_whole: bool = True  # False: the model was interrupted in the middle of it
    rules: tuple[str, ...] = ()


Rule = Callable[[Suggestion, Surroundings], Suggestion]


def refine(suggestion: Suggestion, around: Surroundings) -> Suggestion:
    """Applies all rules; an empty text means that nothing is to be shown."""
    for rule in RULES:
        changed = rule(suggestion, around)
        if (changed.text, changed.covered) != (suggestion.text, suggestion.covered):
            changed = replace(changed, rules=(*suggestion.rules, rule.__name__))
        suggestion = changed
        if not suggestion.text:
            break
    return suggestion


def end_of_scope(suggestion: Suggestion, around: Surroundings) -> Suggestion:
    """Ends it at its line or block."""
    text, is_ended = cut(suggestion.text, around.scope)
    return replace(suggestion, text=text, is_whole=suggestion.is_whole or is_ended)


def unfinished_line(suggestion: Suggestion, around: Surroundings) -> Suggestion:
    """Drops the last line of a block in which the model was interrupted."""
    text, newline, _ = suggestion.text.rpartition("\n")
    if suggestion.is_whole or around.scope.extent is Extent.LINE or not newline:
        return suggestion
    return replace(suggestion, text=text)


def trailing_space(suggestion: Suggestion, _: Surroundings) -> Suggestion:
    """Drops white space at the end; what is nothing else is not worth showing."""
    return replace(suggestion, text=suggestion.text.rstrip())


def broken_character(suggestion: Suggestion, _: Surroundings) -> Suggestion:
    """Ends it before a character that is none (bytes that are no UTF-8, or a control sign)."""
    at = re.search("[\ufffd\x00-\x08\x0b-\x1f\x7f]", suggestion.text)
    return replace(suggestion, text=suggestion.text[: at.start()]) if at else suggestion


def loop(suggestion: Suggestion, _: Surroundings) -> Suggestion:
    """Ends it before the line that goes in circles, or after a line is said too often."""
    for circle in _LOOP.finditer(suggestion.text):
        if re.search(r"\w", circle.group(1)):  # rulers and indentation repeat by nature
            return replace(suggestion, text=suggestion.text[: circle.start()].rpartition("\n")[0])
    counts: dict[str, int] = {}
    lines = suggestion.text.split("\n")
    for index, line in enumerate(lines):
        key = line.strip()
        counts[key] = counts.get(key, 0) + 1
        is_twice = index > 0 and key == lines[index - 1].strip()
        if len(key) >= _MIN_REPEATED_CHARS and (is_twice or counts[key] == _SAME_LINES):
            first = next(i for i, other in enumerate(lines) if other.strip() == key)
            return replace(suggestion, text="\n".join(lines[: first + 1]))
    return suggestion


def repeats_above(suggestion: Suggestion, around: Surroundings) -> Suggestion:
    """Drops it if it makes the line just above once more."""
    first = _first_line(suggestion, around)
    above = next((line.strip() for line in reversed(around.above) if line.strip()), "")
    if not around.head.strip() or suggestion.text.startswith("\n"):
        above = around.head.strip() or above
    is_same = first == above and len(first) >= _MIN_REPEATED_CHARS
    return replace(suggestion, text="") if is_same else suggestion


def repeats_below(suggestion: Suggestion, around: Surroundings) -> Suggestion:
    """Ends it before the lines that already stand below."""
    below = [line.strip() for line in around.below if line.strip()]
    if not below:
        return suggestion
    lines = suggestion.text.split("\n")
    made = [line.strip() for line in lines]
    made[0] = (around.head + made[0]).strip()
    for index, line in enumerate(made):
        rest = [m for m in made[index:] if m]
        if line and rest == below[: len(rest)] and (len(rest) > 1 or _is_telling(line)):
            return replace(suggestion, text="\n".join(lines[:index]))
    return suggestion


def stands_behind(suggestion: Suggestion, around: Surroundings) -> Suggestion:
    """Trims from its end what already stands behind the cursor."""
    tail = around.tail.rstrip()
    if not tail:
        return suggestion
    for length in range(min(len(tail), len(suggestion.text)), 0, -1):
        is_there = suggestion.text.endswith(tail[:length])
        if is_there and _is_apart(suggestion.text, tail, length):
            return replace(suggestion, text=suggestion.text[:-length])
    return suggestion


def looks_like_a_secret(suggestion: Suggestion, _: Surroundings) -> Suggestion:
    """Drops what looks like a key or a token: it is made up, or somebody's."""
    return replace(suggestion, text="") if looks_secret(suggestion.text) else suggestion


def covers_closers(suggestion: Suggestion, around: Surroundings) -> Suggestion:
    """Replaces auto-closed brackets and quotes behind the cursor that the text closes itself."""
    closed = _closed_from_outside(suggestion.text, around.head)
    covered = 0
    for closer in closed:
        if around.tail[covered : covered + 1] != closer:
            break
        covered += 1
    return replace(suggestion, covered=covered)


def closes_brackets(suggestion: Suggestion, around: Surroundings) -> Suggestion:
    """Closes the brackets that the line opened and the model left open."""
    if not suggestion.is_whole or suggestion.covered:
        return suggestion
    return replace(
        suggestion, text=suggestion.text + around.fitter.missing_closers(suggestion.text)
    )


def unfitting(suggestion: Suggestion, around: Surroundings) -> Suggestion:
    """Leaves of it what fits the grammar behind the text that stands there, or nothing."""
    is_whole = suggestion.is_whole and not around.tail[suggestion.covered :].strip()
    text = around.fitter.longest_fit(suggestion.text, suggestion.covered, is_whole=is_whole)
    return replace(suggestion, text=text)


def indentation(suggestion: Suggestion, around: Surroundings) -> Suggestion:
    """Indents with tabs where the text does, and with spaces where it does not."""
    lines = suggestion.text.split("\n")
    own = [
        line for line in (*around.above, around.head) if line[:1] in {" ", "\t"} and line.strip()
    ]
    if not own or len(lines) == 1:
        return suggestion
    wants_tabs = own[-1][0] == "\t"
    level = _TAB_COLUMNS if wants_tabs else _columns_of_a_level(own)
    lines[1:] = [_indented(line, level, wants_tabs=wants_tabs) for line in lines[1:]]
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


def _first_line(suggestion: Suggestion, around: Surroundings) -> str:
    """Returns the first line with text that the suggestion makes, without its indentation."""
    lines = suggestion.text.split("\n")
    lines[0] = around.head + lines[0] if lines[0].strip() or not around.head.strip() else ""
    return next((line.strip() for line in lines if line.strip()), "")


def _columns_of_a_level(lines: Sequence[str]) -> int:
    """Returns how many spaces the text makes a level of, as far as it uses any."""
    widths = [len(line) - len(line.lstrip(" ")) for line in lines if line.startswith(" ")]
    return min((width for width in widths if width > 1), default=_LEVEL)


def _indented(line: str, level: int, *, wants_tabs: bool) -> str:
    """Returns a line with its indentation in one of the two ways."""
    rest = line.lstrip(" \t")
    margin = line[: len(line) - len(rest)]
    if wants_tabs and " " in margin:
        levels, odd = divmod(len(margin.replace("\t", " " * level)), level)
        return "\t" * levels + " " * odd + rest
    if not wants_tabs and "\t" in margin:
        return margin.replace("\t", " " * level) + rest
    return line


def _is_telling(line: str) -> bool:
    return sum(character.isalnum() for character in line) > 2  # noqa: PLR2004 - "else" counts


def _is_apart(text: str, tail: str, length: int) -> bool:
    """Says whether the overlap splits no word and closes no bracket that the text opened."""
    before, after = text[-length - 1 : -length], tail[length : length + 1]
    splits_text = _is_word(before) and _is_word(tail[0])
    splits_tail = _is_word(tail[length - 1]) and _is_word(after)
    return not (splits_text or splits_tail or _opens_within(text, length))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _opens_within(text: str, length: int) -> bool:
    """Says whether the text's last characters close a bracket that the text itself opened."""
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
    """Returns the closers in ``text`` whose openers stand before it, in order."""
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
    """Returns the quote in which the line's head ends, or nothing."""
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
