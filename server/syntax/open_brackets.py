"""Which brackets and strings are open at the end of a text, and where its statements begin.

It scans a line at a time, from the state that the lines above left, so that a line that was seen
before costs one look-up. Broken text is normal here: a closing bracket without an opening one is
counted and ignored, and a string that is not triple-quoted ends with its line. Replacement fields
of f-strings and t-strings are code, with strings, brackets and format specs of their own (PEP 701).
Pure; it builds no tree.
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
_MAX_FAR_CHARS = 64 << 10  # before those; about 30 ms if no line was scanned before
_BLOCK_CHARS = 8 << 10
_REMEMBERED_LINES = 1 << 14
_REMEMBERED_LONG_LINES = 32
_REMEMBERED_STATEMENTS = 8
_MAX_COLUMNS = 4096  # of the cursor's line; the rest is ignored
_MAX_LINE_CHARS = 256 << 10  # of any other line

_MAX_DEPTH = 250  # Python's own parser refuses less
_SPEC = ":"  # on the stack: the format spec of the field below it
_FORMATTED = "f"  # on the stack: begins the entry of a string that has replacement fields

_TOKEN = re.compile(
    r"""
    (?P<comment>\#.*)
    | (?P<prefix>(?i:[bfrtu]{0,2}))(?P<quote>\"\"\"|'''|"|')
    | (?P<opener>[(\[{])
    | (?P<closer>[)\]}])
    | (?P<colon>:)
    | (?P<rest>\w+|\s+|.)
    """,
    re.VERBOSE,
)
_STRING_ENDS = {marks: re.compile(rf"\\.|{marks}") for marks in ('"', "'", '"""', "'''")}
_FIELD_END = re.compile(r"[([{,\\]\s*$")  # the field of an f-string goes on in the next line


@dataclass(frozen=True)
class OpenState:
    """What is open at a place in a text.

    Attributes:
        stack: The opening brackets and quotation marks, the outermost first. Marks of strings with
            replacement fields begin with "f"; a "{" right above is a field, ":" its format spec.
        in_comment: Whether the text ends in a comment.
        n_unmatched: How many closing brackets matched nothing.
        is_joined: Whether a backslash joins the next line to this one.
    """

    stack: tuple[str, ...] = ()
    in_comment: bool = False
    n_unmatched: int = 0
    is_joined: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether a new line would begin a new statement."""
        return not (self.stack or self.is_joined)

    @property
    def quote(self) -> str:
        """The quotation marks of the string in whose text the place is; empty in code."""
        at = len(self.stack) - 1
        while at > 0 and self.stack[at] == _SPEC:
            at -= 2  # the spec's field, and the string below it
        return _marks(self.stack[at]) if self.stack else ""

    @property
    def brackets(self) -> str:
        """The opening brackets, without those of fields, the outermost first."""
        pairs = zip(("", *self.stack), self.stack, strict=False)
        return "".join(x for below, x in pairs if x in OPENERS and not _has_fields(below))

    @property
    def closers(self) -> str:
        """The quotes and brackets that close everything on the same line."""
        return self.close_above(0)

    def close_above(self, n_open: int) -> str:
        """Returns the quotes and brackets that close all but the outermost ``n_open``."""
        return "".join(_closer(entry) for entry in reversed(self.stack[n_open:]))


NOTHING_OPEN = OpenState()


def scan_line(line: str, before: OpenState) -> OpenState:
    """Returns what is open after (part of) the cursor's line, given what is open before it."""
    return _scan_short(line[:_MAX_COLUMNS], before)  # the cache would keep the rest


def open_below(line: str, before: OpenState) -> OpenState:
    """Returns what is open where the next line begins, given what is open before a whole line."""
    scan = _scan_short if len(line) <= _MAX_COLUMNS else _scan_long
    return _begin_next_line(scan(line[:_MAX_LINE_CHARS], before), line)


def _scan(line: str, before: OpenState) -> OpenState:
    stack, n_unmatched, at = list(before.stack), before.n_unmatched, 0
    while at < len(line):
        if stack and (_marks(stack[-1]) or stack[-1] == _SPEC):
            at, n_wrong = _scan_text(line, at, stack)
            n_unmatched += n_wrong
            continue
        token = _TOKEN.match(line, at)
        assert token is not None  # the last alternative matches anything except a line end
        at = token.end()
        if token["comment"]:
            return OpenState(tuple(stack), in_comment=True, n_unmatched=n_unmatched)
        if token["closer"]:
            if stack and OPENERS[stack[-1]] == token["closer"]:
                stack.pop()
            else:
                n_unmatched += 1
        elif len(stack) < _MAX_DEPTH:
            stack += _opened_by(token, stack)
    state = OpenState(tuple(stack), n_unmatched=n_unmatched)
    return replace(state, is_joined=not state.quote and line.endswith("\\"))


_scan_short = functools.lru_cache(maxsize=_REMEMBERED_LINES)(_scan)
_scan_long = functools.lru_cache(maxsize=_REMEMBERED_LONG_LINES)(_scan)


def _begin_next_line(at_end: OpenState, line: str) -> OpenState:
    """Returns what is open where the next line begins, given what is open after ``line``."""
    stack = at_end.stack
    if not _is_escaped(line):
        for index, entry in enumerate(stack):  # an ordinary string ends with its line
            goes_on = not at_end.quote and not at_end.in_comment and _FIELD_END.search(line)
            if len(_marks(entry)) == 1 and not goes_on:
                stack = stack[:index]
                break
    return replace(at_end, stack=stack, in_comment=False)


def open_after(text: str, before: OpenState = NOTHING_OPEN) -> OpenState:
    """Returns what is open at the end of a text of any number of lines."""
    *lines, last = text.split("\n")
    for line in lines:
        before = open_below(line, before)
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
        state = open_below(line, state)
        if state.stack and not state.quote and _ANEW.match(lines[index + 1]):
            state = NOTHING_OPEN  # a bracket above was never closed
        offset += len(line) + 1
    return Statement(text=text[start:], before=state)


def _cut_beginning(prefix: str) -> str:
    """Returns the end of a text, from where its last definition or import begins."""
    near = prefix[-_MAX_CHARS:]
    if len(near) < len(prefix):
        near = near[near.find("\n") + 1 :]  # whole lines
    n_far = len(prefix) - len(near)
    state = _state_at(prefix, n_far)
    anchors = _find_in_code(_ANCHOR, near, state)
    if anchors:
        return near[anchors[-1] :]
    if not n_far:
        return near
    methods = _find_in_code(_METHOD, near, state)
    if methods:
        return f"class _:\n{near[methods[0] :]}"
    if len(state.quote) > 1 and state.quote in near:  # begins within a docstring
        near = near.partition(state.quote)[2].partition("\n")[2]
    return near


def _state_at(prefix: str, end: int) -> OpenState:
    """Returns what is open at a place, as far as the text shortly before can tell."""
    block = end // _BLOCK_CHARS * _BLOCK_CHARS  # what is before it stays while the user types
    border = prefix.rfind("\n", 0, block) + 1
    start = max(0, block - _MAX_FAR_CHARS)
    state = _open_after_far(prefix[start:border], is_cut=start > 0)
    return _open_after_near(prefix[border:end], state)


@functools.lru_cache(maxsize=_REMEMBERED_STATEMENTS)
def _open_after_far(text: str, *, is_cut: bool) -> OpenState:
    """Returns what is open after a long text, which may begin anywhere if it ``is_cut``."""
    if not is_cut:
        return open_after(text)
    first = _ANCHOR.search(text, 1) or _METHOD.search(text, 1)
    return NOTHING_OPEN if first is None else open_after(text[first.start() :])


_open_after_near = functools.lru_cache(maxsize=_REMEMBERED_STATEMENTS)(open_after)


def _find_in_code(pattern: re.Pattern[str], text: str, state: OpenState) -> list[int]:
    """Returns where the lines begin that match and lie in no string.

    Args:
        pattern: Matches at the beginning of a line.
        text: Whole lines, and the beginning of the cursor's.
        state: What is open before them.
    """
    line_start = text.rfind("\n") + 1
    found, at_line = _find_above(pattern, text[:line_start], state)
    is_last = not at_line.quote and pattern.match(text, line_start)
    return [*found, line_start] if is_last else [*found]


@functools.lru_cache(maxsize=_REMEMBERED_STATEMENTS)
def _find_above(
    pattern: re.Pattern[str], text: str, state: OpenState
) -> tuple[tuple[int, ...], OpenState]:
    """Finds them in the lines above the cursor's, which stay while the user types.

    Returns:
        Where they begin, and what is open at the end.
    """
    found, at = [], 0
    for match in pattern.finditer(text):
        state = open_after(text[at : match.start()], state)
        at = match.start()
        if not state.quote:
            found.append(at)
    return tuple(found), open_after(text[at:], state)


def _may_become_clause(line: str) -> bool:
    return any(clause.startswith(line) for clause in _CLAUSES)


def _marks(entry: str) -> str:
    """Returns the quotation marks of a string's entry; empty for a bracket."""
    marks = entry.removeprefix(_FORMATTED)
    return marks if marks[0] in "\"'" else ""


def _has_fields(entry: str) -> bool:
    return entry.startswith(_FORMATTED) or entry == _SPEC


def _closer(entry: str) -> str:
    return OPENERS.get(entry) or _marks(entry)


def _opened_by(token: re.Match[str], stack: list[str]) -> list[str]:
    """Returns what a token of code opens: a bracket, a string, a format spec, or nothing."""
    if token["quote"]:
        return [(_FORMATTED if set(token["prefix"]) & set("fFtT") else "") + token["quote"]]
    if token["opener"]:
        return [token["opener"]]
    is_in_field = stack[-1:] == ["{"] and len(stack) > 1 and _has_fields(stack[-2])
    return [_SPEC] if token["colon"] and is_in_field else []


def _scan_text(line: str, at: int, stack: list[str]) -> tuple[int, int]:
    """Scans a string's text to its end, its next field, or the end of the line.

    Changes the stack; returns where it stopped, and how many closing braces matched nothing.
    """
    is_spec = stack[-1] == _SPEC
    if not is_spec and not _has_fields(stack[-1]):
        end = _end_of_string(line, at, stack[-1])
        if end >= 0:
            stack.pop()
        return (end if end >= 0 else len(line)), 0
    marks = _marks(stack[-1]) if not is_spec else _marks_below(stack)
    while at < len(line):
        character = line[at]
        if line.startswith("\\N{", at):
            at = line.find("}", at) + 1 or len(line)
        elif character == "\\":
            at += 1 if line[at + 1 : at + 2] in "{}" else 2
        elif line.startswith(marks, at):  # ends a format spec and its field, too
            while not _marks(stack.pop()):
                pass
            return at + len(marks), 0
        elif not is_spec and line[at : at + 2] in {"{{", "}}"}:
            at += 2
        elif character == "{" and len(stack) < _MAX_DEPTH:
            stack.append(character)
            return at + 1, 0
        elif character == "}":
            if is_spec:
                del stack[-2:]
            return at + 1, int(not is_spec)
        else:
            at += 1
    return len(line), 0


def _marks_below(stack: list[str]) -> str:
    """Returns the quotation marks of the innermost string."""
    return next(marks for entry in reversed(stack) if (marks := _marks(entry)))


def _end_of_string(line: str, at: int, quote: str) -> int:
    """Returns where the string that is open at ``at`` ends; -1 if it does not."""
    marks = (found for found in _STRING_ENDS[quote].finditer(line, at) if found[0] == quote)
    return next((found.end() for found in marks), -1)


def _is_escaped(text: str) -> bool:
    """Returns whether a backslash at the end of ``text`` escapes the next character."""
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1
