"""Where a cursor can be: one function for each kind of place, which cuts a file there.

A cut says from where to where text is removed; what is removed is what the author wrote there. An
empty cut puts the cursor into text that stays as it is, as when code is changed.
"""

import ast
import io
import keyword
import random
import re
import tokenize
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

_FIELD = re.compile(r"(?i)\b(?:f|rf|fr)(?:'''|\"\"\"|'|\")[^{}\n]*\{([A-Za-z_][\w.]{2,})[^{}\n]*\}")
_CLOSERS = ")]}"
_MIN_NAME_CHARS = 3
_MIN_LINE_CHARS = 6


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What is removed from a file, and what is ``shown`` before the cursor in addition."""

    start: int
    end: int
    shown: str = ""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file that parses."""

    text: str
    tree: ast.Module

    @classmethod
    def of(cls, text: str) -> Self:
        """Parses a file.

        Raises:
            SyntaxError: It does not parse.
        """
        return cls(text=text, tree=ast.parse(text))

    @cached_property
    def starts(self) -> list[int]:
        """The offset at which each line begins."""
        starts = [0]
        for line in self.text.split("\n"):
            starts.append(starts[-1] + len(line) + 1)
        return starts

    @cached_property
    def tokens(self) -> list[tokenize.TokenInfo]:
        """The file's tokens."""
        try:
            return list(tokenize.generate_tokens(io.StringIO(self.text).readline))
        except (tokenize.TokenError, IndentationError):
            return []

    def offset(self, token: tokenize.TokenInfo) -> int:
        """Returns where a token begins."""
        return self.starts[token.start[0] - 1] + token.start[1]

    def node_offset(self, lineno: int, column: int) -> int:
        """Returns the offset of an AST position, whose column counts bytes."""
        start = self.starts[lineno - 1]
        line = self.text[start : self.starts[lineno] - 1]
        return start + len(line.encode()[:column].decode("utf-8", "replace"))

    def line_end(self, offset: int) -> int:
        """Returns where the line at ``offset`` ends, without trailing white space."""
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        line = self.text[start : end if end >= 0 else len(self.text)]
        return max(offset, start + len(line.rstrip()))


def _choose(found: list[Cut], chance: random.Random) -> Cut | None:
    return chance.choice(found) if found else None


def _cut_in_name(source: Source, chance: random.Random) -> Cut | None:
    """Puts the cursor into the middle of a name; nothing is removed."""
    names = [
        token
        for token in source.tokens
        if token.type == tokenize.NAME
        and len(token.string) >= _MIN_NAME_CHARS
        and not keyword.iskeyword(token.string)
    ]
    if not names:
        return None
    token = chance.choice(names)
    at = source.offset(token) + chance.randrange(1, len(token.string))
    return Cut(start=at, end=at)


def _cut_before_code(source: Source, chance: random.Random) -> Cut | None:
    """Puts the cursor after a name that a call, an attribute or an operator follows."""
    found = []
    for token, following in zip(source.tokens, source.tokens[1:], strict=False):
        is_followed = following.type == tokenize.OP and following.string not in {
            *_CLOSERS,
            ":",
            ",",
        }
        if token.type == tokenize.NAME and is_followed and following.start == token.end:
            at = source.offset(following)
            found.append(Cut(start=at, end=at))
    return _choose(found, chance)


def _cut_before_closers(source: Source, chance: random.Random) -> Cut | None:
    """Removes the end of what stands in brackets; the closer and the rest of the line stay."""
    found = []
    for token in source.tokens:
        if token.type == tokenize.OP and token.string in _CLOSERS:
            end = source.offset(token)
            line_start = source.starts[token.start[0] - 1]
            inner = source.text[line_start:end]
            if inner.strip() and inner[-1] not in "([{,":
                start = end - chance.randrange(1, min(len(inner.rsplit("(", 1)[-1]), 20) + 1)
                found.append(Cut(start=max(start, line_start + 1), end=end))
    return _choose([cut for cut in found if cut.start < cut.end], chance)


def _cut_string(source: Source, chance: random.Random) -> Cut | None:
    """Removes the rest of a line from within a string on."""
    found = []
    for token in source.tokens:
        is_plain = token.type == tokenize.STRING and token.start[0] == token.end[0]
        if is_plain and not token.string.startswith(('"""', "'''")) and len(token.string) > 2:  # noqa: PLR2004
            at = source.offset(token)
            opened = at + re.match(r"\w*['\"]", token.string).end()  # type: ignore[union-attr]
            start = chance.randrange(opened, at + len(token.string))
            found.append(Cut(start=start, end=source.line_end(start)))
    return _choose(found, chance)


def _cut_format_field(source: Source, chance: random.Random) -> Cut | None:
    """Removes the rest of a line from within a replacement field of an f-string on."""
    found = []
    for field in _FIELD.finditer(source.text):
        start = chance.randrange(field.start(1) + 1, field.end(1) + 1)
        found.append(Cut(start=start, end=source.line_end(start)))
    return _choose(found, chance)


def _cut_docstring(source: Source, chance: random.Random) -> Cut | None:
    """Removes a whole docstring after its definition's head, or a line's rest in one."""
    found = []
    for node in ast.walk(source.tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        string = node.body[0]
        if not (isinstance(string, ast.Expr) and isinstance(string.value, ast.Constant)):
            continue
        if not isinstance(string.value.value, str) or len(node.body) == 1:
            continue
        start = source.node_offset(string.lineno, string.col_offset)
        end = source.node_offset(string.end_lineno or string.lineno, string.end_col_offset or 0)
        head_end = len(source.text[:start].rstrip())
        if chance.random() < 0.5:  # noqa: PLR2004 - every other one
            found.append(Cut(start=head_end, end=end))
        elif end - start > 10:  # noqa: PLR2004 - two triple quotes and a word
            at = chance.randrange(start + 3, end - 3)
            found.append(Cut(start=at, end=source.line_end(at)))
    return _choose(found, chance)


def _cut_argument(source: Source, chance: random.Random) -> Cut | None:
    """Removes the rest of a line from an argument of a call on."""
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            for argument in (*node.args, *(k.value for k in node.keywords)):
                start = source.node_offset(argument.lineno, argument.col_offset)
                found.append(Cut(start=start, end=source.line_end(start)))
    return _choose(found, chance)


def _cut_comprehension(source: Source, chance: random.Random) -> Cut | None:
    """Removes the rest of a line from somewhere in a comprehension on."""
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            first = source.node_offset(node.lineno, node.col_offset) + 1
            last = source.line_end(first)
            if first < last:
                start = chance.randrange(first, last)
                found.append(Cut(start=start, end=last))
    return _choose(found, chance)


def _cut_decorator(source: Source, chance: random.Random) -> Cut | None:
    """Removes the rest of a decorator's line."""
    found = []
    for node in ast.walk(source.tree):
        for decorator in getattr(node, "decorator_list", []):
            start = source.node_offset(decorator.lineno, decorator.col_offset)
            last = source.line_end(start)
            start = chance.randrange(start, last)
            found.append(Cut(start=start, end=last))
    return _choose(found, chance)


def _cut_line_end(source: Source, chance: random.Random) -> Cut | None:
    """Removes the rest of a line of code, perhaps nothing of it."""
    lines = _code_lines(source)
    if not lines:
        return None
    start, end = chance.choice(lines)
    return Cut(start=chance.randrange(start + 1, end + 1), end=end)


def _cut_statement(source: Source, chance: random.Random) -> Cut | None:
    """Removes a simple statement after its indentation."""
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            start = source.node_offset(node.lineno, node.col_offset)
            end = source.node_offset(node.end_lineno or node.lineno, node.end_col_offset or 0)
            if not source.text[source.starts[node.lineno - 1] : start].strip():
                found.append(Cut(start=start, end=end))
    return _choose(found, chance)


def _cut_fresh_line(source: Source, chance: random.Random) -> Cut | None:
    """Opens a new line after a statement, indented like it; nothing is removed."""
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            start = source.node_offset(node.lineno, node.col_offset)
            end = source.node_offset(node.end_lineno or node.lineno, node.end_col_offset or 0)
            margin = source.text[source.starts[node.lineno - 1] : start]
            if not margin.strip() and end == source.line_end(end):
                found.append(Cut(start=end, end=end, shown=f"\n{margin}"))
    return _choose(found, chance)


def _code_lines(source: Source) -> list[tuple[int, int]]:
    """Returns where the code of each line that is long enough begins and ends."""
    found = []
    for start, line in zip(source.starts, source.text.split("\n"), strict=False):
        code = line.strip()
        if len(code) >= _MIN_LINE_CHARS and not code.startswith("#"):
            indent = len(line) - len(line.lstrip())
            found.append((start + indent, start + len(line.rstrip())))
    return found


Cutter = Callable[[Source, random.Random], Cut | None]
CUTTERS: Mapping[str, Cutter] = {
    "in a name": _cut_in_name,
    "before code": _cut_before_code,
    "before closers": _cut_before_closers,
    "in a string": _cut_string,
    "in an f-string": _cut_format_field,
    "docstring": _cut_docstring,
    "argument": _cut_argument,
    "comprehension": _cut_comprehension,
    "decorator": _cut_decorator,
    "line end": _cut_line_end,
    "statement": _cut_statement,
    "fresh line": _cut_fresh_line,
}
