"""Parses documents and fingerprints their functions, independently of names and comments.

Nothing is compiled or executed. Called by :mod:`training.corpus.filters.screening` and
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
_MAX_DECIMAL_BITS = 4096
_STATEMENT_FIELDS = ("body", "orelse", "finalbody", "handlers", "cases")


def parse_python(text: str) -> ast.Module | None:
    """Returns the syntax tree, or None for text that this interpreter's grammar rejects."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about invalid escapes in the documents
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def iter_functions(tree: ast.AST) -> Iterator[Function]:
    """Yields all functions, including nested ones and methods."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function):
            yield node
        for name in _STATEMENT_FIELDS:
            waiting += getattr(node, name, None) or ()


def summarize_shape(function: Function) -> Shape:
    """Returns a cheap key that equal functions share: argument count and statement types."""
    return (len(function.args.args), *(type(s).__name__ for s in _body(function)))


def fingerprint_function(function: Function) -> tuple[bytes, int]:
    """Returns a hash that ignores names, white space, comments and annotations, and the node count.

    Names are numbered in order of appearance; builtins and attributes keep theirs; the docstring is
    left out.
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
                _number_name(name, value, numbers)
                for name, value in reversed(list(ast.iter_fields(node)))
                if name not in _IGNORED_FIELDS
            ]
        elif isinstance(node, int) and node.bit_length() > _MAX_DECIMAL_BITS:
            parts.append(hex(node))  # decimals take quadratic time
        else:
            parts.append(repr(node))
    return hashlib.blake2b(
        "\0".join(parts).encode("utf-8", "replace"), digest_size=16
    ).digest(), size


def _number_name(field: str, value: object, numbers: dict[str, int]) -> object:
    if field in _NAME_FIELDS and isinstance(value, str) and value not in _BUILTINS:
        return numbers.setdefault(value, len(numbers))
    return value


def _body(function: Function) -> list[ast.stmt]:
    has_docstring = ast.get_docstring(function, clean=False) is not None
    return function.body[1:] if has_docstring else function.body
