"""Which brackets and strings are open at the end of a text, and where its statements begin.

It scans a line at a time, from the state that the lines above left, so that a line that was seen
before costs one look-up. Broken text is normal here: a closing bracket without an opening one is
counted and ignored, and a string that is not triple-quoted ends with its line. Pure; it builds no
tree.
"""

import functools
import re
from dataclasses import dataclass, replace

OPENERS = {"(": ")", "[": "]", "{": "}"}
_CLOSERS = frozenset(OPENERS.values())
_CLAUSES = ("elif", "else", "except", "finally")  # part of the statement above
_CONTINUES = re.compile(rf"(?:{'|'.join(_CLAUSES)})\b")
# What begins a statement, even if a bracket seems to be open above it.
_ANEW = re.compile(r"\s*(?:async\s+def|def|class)\s+\w|@\w|import\s+\w|from\s+[\w.]+\s+import\b")
_ANCHOR = re.compile(  # stricter, since a docstring may contain lines that look like statements
    r"^(?:(?:async def|def) \w+\(|class \w+[(:]|@\w|import [\w., ]+$|from [\w.]+ import )",
    re.MULTILINE,
)
_METHOD = re.compile(r"^(?: {1,8}|\t)(?:async\s+)?def\s", re.MULTILINE)
_MAX_CHARS = 8_000  # of a statement; only the end of a longer one is examined
_REMEMBERED_LINES = 1 << 14
_REMEMBERED_STATEMENTS = 8
_MAX_COLUMNS = 4096  # of a line; the rest is ignored

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
class OpenState:
    """What is open at a place in a text.

    Attributes:
        brackets: The opening brackets, the outermost first.
        quote: The quotation marks of the string that the text ends in; empty outside of strings.
        in_comment: Whether the text ends in a comment.
        n_unmatched: How many closing brackets matched nothing.
        is_joined: Whether a backslash joins the next line to this one.
    """

    brackets: str = ""
    quote: str = ""
    in_comment: bool = False
    n_unmatched: int = 0
    is_joined: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether a new line would begin a new statement."""
        return not (self.brackets or self.quote or self.is_joined)

    @property
    def closers(self) -> str:
        """The quotes and brackets that close everything on the same line."""
        return self.quote + "".join(OPENERS[opener] for opener in reversed(self.brackets))


NOTHING_OPEN = OpenState()


@functools.lru_cache(maxsize=_REMEMBERED_LINES)
def scan_line(line: str, before: OpenState) -> OpenState:
    """Returns what is open after (part of) a line, given what is open before it."""
    brackets, quote = list(before.brackets), before.quote
    n_unmatched, at = before.n_unmatched, 0
    line = line[:_MAX_COLUMNS]
    while at < len(line):
        if quote:
            at = _end_of_string(line, at, quote)
            if at < 0:
                break
            quote = ""
            continue
        token = _TOKEN.match(line, at)
        assert token is not None  # the last alternative matches anything except a line end
        at = token.end()
        if token["comment"]:
            return OpenState("".join(brackets), in_comment=True, n_unmatched=n_unmatched)
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
    return OpenState("".join(brackets), quote, n_unmatched=n_unmatched, is_joined=is_joined)


def begin_next_line(at_end: OpenState, line: str) -> OpenState:
    """Returns what is open where the next line begins, given what is open after ``line``."""
    quote = at_end.quote
    if len(quote) == 1 and not _is_escaped(line):  # an ordinary string ends with its line
        quote = ""
    return replace(at_end, quote=quote, in_comment=False)


def open_after(text: str, before: OpenState = NOTHING_OPEN) -> OpenState:
    """Returns what is open at the end of a text of any number of lines."""
    *lines, last = text.split("\n")
    for line in lines:
        before = begin_next_line(scan_line(line, before), line)
    return scan_line(last, before)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """The top-level statement that a text ends in.

    ``text`` begins with its first line; ``before`` is what is open before the cursor's line. Of a
    long class, ``text`` has only the last methods, under a head that replaces the class's own.
    """

    text: str
    before: OpenState


@functools.lru_cache(maxsize=_REMEMBERED_STATEMENTS)
def statement_at(prefix: str) -> Statement:
    """Returns the top-level statement that the text before the cursor ends in.

    A statement begins in a line without indentation where nothing is open. ``else`` and the like
    belong to the statement above, decorators to the one below.
    """
    text = _cut_beginning(prefix)
    start, offset, state = 0, 0, NOTHING_OPEN
    is_decorated = False
    lines = text.split("\n")
    for index, line in enumerate(lines):
        is_last = index == len(lines) - 1
        if state.is_empty and line[:1].strip() and not line.startswith(("#", ")", "]", "}")):
            is_clause = _CONTINUES.match(line) or (is_last and _may_become_clause(line))
            if not is_decorated and not is_clause:
                start = offset
            is_decorated = line.startswith("@")
        if is_last:
            break
        state = begin_next_line(scan_line(line, state), line)
        if state.brackets and not state.quote and _ANEW.match(lines[index + 1]):
            state = NOTHING_OPEN  # a bracket above was never closed
        offset += len(line) + 1
    return Statement(text=text[start:], before=state)


def _cut_beginning(prefix: str) -> str:
    """Returns the end of a text, from where its last definition or import begins."""
    near = prefix[-_MAX_CHARS:]
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
    """Returns where the string that is open at ``at`` ends; -1 if it does not."""
    end = line.find(quote, at)
    while end >= 0 and _is_escaped(line[at:end]):
        end = line.find(quote, end + 1)
    return end if end < 0 else end + len(quote)


def _is_escaped(text: str) -> bool:
    """Returns whether a backslash at the end of ``text`` escapes the next character."""
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1
