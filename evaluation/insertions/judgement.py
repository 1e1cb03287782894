"""Whether a suggestion fits the place at which it is inserted, by the file's own grammar and text.

It is independent of the server's rules on purpose: it parses the whole file with Python's own
parser and compares texts, and it knows the file as its author wrote it, which the server does not.
"""

import ast
import io
import re
import tokenize
import warnings
from dataclasses import dataclass
from typing import Protocol

from evaluation.insertions.auto_closing import open_closers

TRIVIAL_CHARS = 3  # so many at most are as quickly typed as read
_MIN_REPEATED = 8  # letters and digits of a line that says something
_CLOSERS = ")]}\"'"
_WORD_END = re.compile(r"\w*\Z")
_WORD_START = re.compile(r"\w*")
_TOKEN = re.compile(r"\w+|[^\w\s]|\s+")


class Insertable(Protocol):
    """A place, as far as judging needs it."""

    @property
    def prefix(self) -> str:
        """The text before the cursor."""
        ...

    @property
    def suffix(self) -> str:
        """The text after the cursor."""
        ...

    @property
    def original(self) -> str:
        """The file as its author wrote it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What inserting a suggestion does to a file.

    Attributes:
        is_exact: The cursor's line is the author's, or the whole file is.
        breaks_syntax: The file does not parse with it, even if what it announces follows (the body
            of a block, the definition below a decorator) or what the author opened is closed.
        breaks_parsed: The same, of a file that parsed before.
        is_duplicate: It writes again what follows the cursor.
        is_misindented: Python refuses the indentation of one of its lines.
        is_trivial: It has at most three characters.
        is_inside_name: It becomes a part of a name that stands at the cursor, and the whole is no
            name of the file.
    """

    is_exact: bool
    breaks_syntax: bool
    breaks_parsed: bool
    is_duplicate: bool
    is_misindented: bool
    is_trivial: bool
    is_inside_name: bool


def judge(place: Insertable, text: str, covered: int) -> Judgement:
    """Judges a suggestion that is shown.

    Args:
        place: Where it is inserted.
        text: The suggestion.
        covered: How many characters after the cursor it replaces.
    """
    behind = place.suffix[covered:]
    made = place.prefix + text + behind
    error = _syntax_error(place.prefix, text, behind)
    is_exact = _is_exact(place, made, text)
    return Judgement(
        is_exact=is_exact,
        breaks_syntax=error is not None,
        breaks_parsed=error is not None and parses(place.prefix + place.suffix),
        is_duplicate=not is_exact and _is_duplicate(place.prefix, text, behind),
        is_misindented=isinstance(error, IndentationError),
        is_trivial=len(text.strip()) <= TRIVIAL_CHARS,
        is_inside_name=not is_exact and _is_inside_name(place, text, behind),
    )


def parses(text: str) -> bool:
    """Returns whether Python's parser accepts a file."""
    return _parse(text) is None


def _parse(text: str) -> BaseException | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in the file's strings
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return error
    return None


def _syntax_error(prefix: str, text: str, behind: str) -> BaseException | None:
    """Returns why the file does not parse, None if it does or only lacks what is announced."""
    made = prefix + text
    error = _parse(made + behind)
    line = made.rpartition("\n")[2]
    margin = line[: len(line) - len(line.lstrip())]
    tail, newline, below = behind.partition("\n")
    if error is not None and tail.strip() and not tail.strip(_CLOSERS):
        head = f"{made}{tail}:\n{margin}    pass{newline}{below}"  # the closers are typed over
        return None if _parse(head) is None else error
    if error is None or tail.strip():
        return error
    bodies = [f"\n{margin}    pass", f"\n{margin}def f(): pass"]
    tries = re.findall(r"^([ \t]*)try\s*:", made.rpartition("\n\n")[2], re.MULTILINE)[-1:]
    bodies += [f"{x}\n{at}finally: pass" for x in ("", bodies[0]) for at in tries]
    opened = open_closers(prefix.rpartition("\n")[2])  # by the author, who has yet to close it
    bodies += [f"\n{closer}" for closer in (opened, _docstring_end(prefix)) if closer]
    bodies += [f"\n{opened}:\n{margin}    pass"] if opened else []
    return None if any(_parse(made + body + behind) is None for body in bodies) else error


def _docstring_end(prefix: str) -> str:
    """Returns the quotation marks that close the docstring in which the cursor seems to be."""
    return next((quote for quote in ('"""', "'''") if prefix.count(quote) % 2), "")


def _is_exact(place: Insertable, made: str, text: str) -> bool:
    original = place.original
    if made.rstrip() == original.rstrip():
        return True
    if place.prefix + place.suffix == original:
        return False  # nothing was removed, so nothing is known of what the author would write
    at = len(place.prefix)
    content = len(text) - len(text.lstrip())  # line ends at the beginning belong to it
    ends = [x.find("\n", at + content) for x in (made, original)]
    first, second = (
        x[:end].rstrip() if end >= 0 else x.rstrip()
        for x, end in zip((made, original), ends, strict=True)
    )
    return first == second


def _is_duplicate(prefix: str, text: str, behind: str) -> bool:
    tail = behind.partition("\n")[0].rstrip()
    if tail.strip() and (_ends_with_tail(prefix, text, behind, tail) or _begins_alike(text, tail)):
        return True
    return _repeats_lines(prefix, text, behind)


def _ends_with_tail(prefix: str, text: str, behind: str, tail: str) -> bool:
    """Returns whether the end of ``text`` is the tail's beginning, and could be left out."""
    for length in range(min(len(tail), len(text)), 0, -1):
        if not text.endswith(tail[:length]) or not tail[:length].strip():
            continue
        if _is_word(text[-length - 1 : -length]) and _is_word(tail[0]):
            continue
        if _is_word(tail[length - 1]) and _is_word(tail[length : length + 1]):
            continue
        if _syntax_error(prefix, text[:-length], behind) is None:
            return True
    return False


def _begins_alike(text: str, tail: str) -> bool:
    """Returns whether text and tail begin with the same tokens, a name or a call among them."""
    common = ""
    for mine, other in zip(_TOKEN.findall(text), _TOKEN.findall(tail), strict=False):
        if mine != other:
            break
        common += mine
    return len(common.strip()) >= 2 and (re.search(r"\w{2}", common) is not None or "(" in common)  # noqa: PLR2004


def _repeats_lines(prefix: str, text: str, behind: str) -> bool:
    """Returns whether the last line of ``text`` is also the next line below."""
    below = [line.strip() for line in behind.split("\n")[1:] if line.strip()][:1]
    lines = (prefix.rpartition("\n")[2] + text).split("\n")
    mine = [line.strip() for line in lines if line.strip()][-1:]
    return mine == below != [] and sum(map(str.isalnum, mine[0])) >= _MIN_REPEATED


def _is_inside_name(place: Insertable, text: str, behind: str) -> bool:
    """Returns whether it becomes a part of a name that stands behind it, and of no known one."""
    if not (_is_word(text[-1:]) and _is_word(behind[:1])) and not (
        _is_word(place.prefix[-1:]) and _is_word(place.suffix[:1])
    ):
        return False
    before = _WORD_END.search(place.prefix)
    after = _WORD_START.match(behind)
    made = (before[0] if before else "") + text + (after[0] if after else "")
    return not made.isidentifier() or made not in _names(place.original)


def _names(text: str) -> set[str]:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, IndentationError):
        return set()
    return {token.string for token in tokens if token.type == tokenize.NAME}


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
