"""Python's own view of a document: does it parse, and which functions stand in it, names aside.

Nothing is compiled or run. Called by :mod:`training.corpus.extraction.source_reader` and
:mod:`training.corpus.filters.contamination`.
"""

import ast
import builtins
import hashlib
import warnings
from collections.abc import Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef
Shape = tuple[object, ...]

_BUILTINS = frozenset(dir(builtins))
_IGNORED_FIELDS = {"decorator_list", "returns", "annotation", "type_comment", "type_params", "kind"}
_NAME_FIELDS = {"id", "arg", "name"}
_STATEMENT_FIELDS = ("body", "orelse", "finalbody", "handlers", "cases")


def parse(text: str) -> ast.Module | None:
    """Returns the tree, or None for text that this interpreter's grammar does not take."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the documents' own doubtful escapes
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def functions(tree: ast.AST) -> Iterator[Function]:
    """Yields all functions, those within functions and classes too."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function):
            yield node
        for name in _STATEMENT_FIELDS:
            waiting += getattr(node, name, None) or ()


def shape(function: Function) -> Shape:
    """Returns a quick mark of a function that equal ones share: arguments and statement types."""
    return (len(function.args.args), *(type(s).__name__ for s in _body(function)))


def fingerprint(function: Function) -> tuple[bytes, int]:
    """Returns a hash that no names, white space, comments or annotations change; and the size.

    Names are numbered as they come, builtins and attributes keep theirs; the docstring is left out.
    The size is the number of nodes: a small function is everybody's.
    """
    numbers: dict[str, int] = {}
    parts: list[str] = []
    size = 0
    waiting: list[object] = [*reversed(_body(function)), function.args]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            parts.append(f"[{len(node)}")
            waiting += reversed(node)
        elif isinstance(node, ast.AST):
            size += 1
            parts.append(type(node).__name__)
            waiting += [
                _renamed(name, value, numbers)
                for name, value in reversed(list(ast.iter_fields(node)))
                if name not in _IGNORED_FIELDS
            ]
        else:
            parts.append(repr(node))
    return hashlib.blake2b(
        "\0".join(parts).encode("utf-8", "replace"), digest_size=16
    ).digest(), size


def _renamed(field: str, value: object, numbers: dict[str, int]) -> object:
    if field in _NAME_FIELDS and isinstance(value, str) and value not in _BUILTINS:
        return numbers.setdefault(value, len(numbers))
    return value


def _body(function: Function) -> list[ast.stmt]:
    has_docstring = ast.get_docstring(function, clean=False) is not None
    return function.body[1:] if has_docstring else function.body
