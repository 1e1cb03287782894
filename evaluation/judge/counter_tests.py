"""Counter-tests: a problem's test with wrong expectations, which a right program must fail.

Where a test runs in the program's own process, a program can report a pass without earning it, or
read what is expected and return that. It then passes a test that expects something else, too, and
is found out: it cannot tell the two tests apart without solving the problem. A counter-test counts
only if the problem's own solution fails it (see ``mode_choice``).
"""

import ast
from collections.abc import Callable
from typing import Any

_CHECK = "check"
_FACTOR, _SUMMAND = 1.5, 1.25  # of floats


def make_counter_tests(test: str, entry_point: str) -> tuple[str, ...]:
    """Returns what may serve as counter-tests, the best first.

    The first changes what assertions expect, the second every value, and the third negates the
    assertions. The first two also catch values that claim to be equal to everything.
    """
    try:
        tree = ast.parse(test)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # too deep to parse
        return ()
    names = {entry_point, *_list_parameters(tree)}
    changes: tuple[Callable[[], ast.NodeTransformer], ...] = (
        lambda: _ChangeExpectations(names),
        lambda: _ChangeValues(names),
        _NegateAssertions,
    )
    original = _rewrite(test, ast.NodeTransformer())
    changed = [_rewrite(test, change()) for change in changes]
    return tuple(text for text in dict.fromkeys(changed) if text is not None and text != original)


def _rewrite(test: str, change: ast.NodeTransformer) -> str | None:
    """Returns the changed test; None if it is nested too deeply to be written out."""
    try:
        return ast.unparse(ast.fix_missing_locations(change.visit(ast.parse(test))))
    except (RecursionError, ValueError):
        return None


def _list_parameters(tree: ast.Module) -> set[str]:
    """Returns the names by which ``check`` knows the program's function."""
    return {
        argument.arg
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == _CHECK
        for argument in node.args.args
    }


class _ChangeValues(ast.NodeTransformer):
    """Changes every constant but those that are passed to the program.

    Args:
        names: Of the program's function.
    """

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def visit_Call(self, node: ast.Call) -> ast.AST:
        parts = ast.walk(node.func)
        if any(isinstance(part, ast.Name) and part.id in self._names for part in parts):
            return node
        return self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node  # its constants are not expressions

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant(_change(node.value))


class _ChangeExpectations(_ChangeValues):
    """Changes the constants of assertions, except for tolerances and messages."""

    _is_within = False

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        self._is_within = True
        node.test = self.visit(node.test)
        self._is_within = False
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if not all(isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in node.ops):
            return self.generic_visit(node)
        node.left = self.visit(node.left)
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        return node  # rel_tol, say

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return super().visit_Constant(node) if self._is_within else node


class _NegateAssertions(ast.NodeTransformer):
    """Negates every assertion."""

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return node


def _change(value: Any) -> Any:
    """Returns another value of the same kind, whose form does not show that it was changed."""
    if value is None:
        return 0
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float | complex):
        return value * _FACTOR + _SUMMAND
    if isinstance(value, str):
        return value[::-1] if value[::-1] != value else f"{value}{value[-1:] or 'a'}"
    if isinstance(value, bytes):
        return value[::-1] if value[::-1] != value else value + (value[-1:] or b"a")
    return value
