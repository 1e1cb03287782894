"""What is open at the end of a text: brackets and strings; and where its statements begin.

A line at a time, with the state that the lines before have left, so that the state behind a line
that was seen before is a look into a table. Text that is broken is the rule here: a closer without
an opener closes nothing, a string of one line ends with it. Pure; it builds no tree.
"""

import functools
import re
from dataclasses import dataclass, replace

OPENERS = {"(": ")", "[": "]", "{": "}"}
_CLOSERS = frozenset(OPENERS.values())
_CLAUSES = ("elif", "else", "except", "finally")  # they belong to the statement above
_CONTINUES = re.compile(rf"(?:{'|'.join(_CLAUSES)})\b")
# What begins a statement, whatever seems to be open above it.
_ANEW = re.compile(r"\s*(?:async\s+def|def|class)\s+\w|@\w|import\s+\w|from\s+[\w.]+\s+import\b")
_ANCHOR = re.compile(  # stricter, since a docstring may hold lines that look like statements
    r"^(?:(?:async def|def) \w+\(|class \w+[(:]|@\w|import [\w., ]+$|from [\w.]+ import )",
    re.MULTILINE,
)
_METHOD = re.compile(r"^(?: {1,8}|\t)(?:async\s+)?def\s", re.MULTILINE)
_MOST_CHARS = 8_000  # of a statement: of a longer one only the end is looked at
_REMEMBERED = 1 << 14  # lines
_REMEMBERED_UNITS = 8
_MOST_COLUMNS = 4096  # of a line: what stands behind is not looked at

_TOKEN = re.compile(
    r"""
    (?P<comment>\#.*)
    | (?P<quote>\"\"\"|'''|"|')
    | (?P<bracket>[()\[\]{}])
    | (?P<rest>\w+|\s+|.)
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Open:
    """What is open.

    Attributes:
        brackets: The openers, the outermost first.
        quote: The quotation marks of the string that the text ends in, or nothing.
        in_comment: Whether the text ends in a comment, which its line end will end.
        n_unmatched: How many closers closed nothing.
        is_joined: Whether a backslash joins the next line to this one.
    """

    brackets: str = ""
    quote: str = ""
    in_comment: bool = False
    n_unmatched: int = 0
    is_joined: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether a new line would begin a new statement."""
        return not (self.brackets or self.quote or self.is_joined)

    @property
    def closers(self) -> str:
        """What closes it all, at the end of the same line."""
        return self.quote + "".join(OPENERS[opener] for opener in reversed(self.brackets))


NOTHING = Open()


@functools.lru_cache(maxsize=_REMEMBERED)
def behind(line: str, before: Open) -> Open:
    """Returns what is open behind a part of a line, given what is open before it."""
    brackets, quote = list(before.brackets), before.quote
    n_unmatched, at = before.n_unmatched, 0
    line = line[:_MOST_COLUMNS]
    while at < len(line):
        if quote:
            at = _end_of_string(line, at, quote)
            if at < 0:
                break
            quote = ""
            continue
        token = _TOKEN.match(line, at)
        assert token is not None  # its last branch takes anything but a line end
        at = token.end()
        if token["comment"]:
            return Open("".join(brackets), in_comment=True, n_unmatched=n_unmatched)
        if token["quote"]:
            quote = token["quote"]
        elif token["bracket"] in OPENERS:
            brackets.append(token["bracket"])
        elif token["bracket"] in _CLOSERS:
            if brackets and OPENERS[brackets[-1]] == token["bracket"]:
                brackets.pop()
            else:
                n_unmatched += 1
    is_joined = not quote and line.endswith("\\")
    return Open("".join(brackets), quote, n_unmatched=n_unmatched, is_joined=is_joined)


def next_line(at_end: Open, line: str) -> Open:
    """Returns what is open where the next line begins, given what is open at a line's end."""
    quote = at_end.quote
    if len(quote) == 1 and not _is_escaped(line):  # a string of one line does not go on
        quote = ""
    return replace(at_end, quote=quote, in_comment=False)


def open_behind(text: str, before: Open = NOTHING) -> Open:
    """Returns what is open at the end of a text of several lines."""
    *lines, last = text.split("\n")
    for line in lines:
        before = next_line(behind(line, before), line)
    return behind(last, before)


@dataclass(frozen=True, kw_only=True)
class Unit:
    """The statement at the outermost level that a text ends in.

    ``text`` begins with its first line; ``before`` is what is open in front of the cursor's line.
    Of a long class only the last methods are in ``text``, under a head that stands for its own.
    """

    text: str
    before: Open


@functools.lru_cache(maxsize=_REMEMBERED_UNITS)
def unit_of(prefix: str) -> Unit:
    """Returns the statement that the text before the cursor ends in.

    A statement begins in a line without indentation where nothing is open; ``else`` and its like
    belong to what stands above, as do decorators to what they decorate.
    """
    text = _shortened(prefix)
    start, offset, state = 0, 0, NOTHING
    is_decorated = False
    lines = text.split("\n")
    for index, line in enumerate(lines):
        is_last = index == len(lines) - 1
        if state.is_nothing and line[:1].strip() and not line.startswith(("#", ")", "]", "}")):
            is_clause = _CONTINUES.match(line) or (is_last and _may_become_clause(line))
            if not is_decorated and not is_clause:
                start = offset
            is_decorated = line.startswith("@")
        if is_last:
            break
        state = next_line(behind(line, state), line)
        if state.brackets and not state.quote and _ANEW.match(lines[index + 1]):
            state = NOTHING  # a bracket was never closed
        offset += len(line) + 1
    return Unit(text=text[start:], before=state)


def _shortened(prefix: str) -> str:
    """Returns the end of a text from where a definition or an import begins, not too long."""
    near = prefix[-_MOST_CHARS:]
    anchors = [anchor.start() for anchor in _ANCHOR.finditer(near)]
    if anchors:
        return near[anchors[-1] :]
    if len(near) == len(prefix):
        return prefix
    method = _METHOD.search(near)
    return near[near.find("\n") + 1 :] if method is None else f"class _:\n{near[method.start() :]}"


def _may_become_clause(line: str) -> bool:
    return any(clause.startswith(line) for clause in _CLAUSES)


def _end_of_string(line: str, at: int, quote: str) -> int:
    """Returns where the string that is open at ``at`` has ended; -1 if it has not."""
    end = line.find(quote, at)
    while end >= 0 and _is_escaped(line[at:end]):
        end = line.find(quote, end + 1)
    return end if end < 0 else end + len(quote)


def _is_escaped(text: str) -> bool:
    """Says whether what stands behind ``text`` is escaped by a backslash at its end."""
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1
