"""Counter-tests: a problem's test with wrong expectations, which a right program must fail.

Where a test runs in the program's own process, a program can report a pass without earning it, or
read what is expected and return that. It then passes a test that expects something else, too, and
is found out: it cannot tell the two tests apart without solving the problem. A counter-test counts
only if the problem's own solution fails it (see ``mode_choice``).
"""

import ast
from collections.abc import Callable, Iterator
from typing import Any

from evaluation.judge.counter_tests.expectations import (
    Change,
    Expectation,
    find_expectations,
    has_single_answers,
)
from evaluation.judge.counter_tests.name_flow import NameFlow

_CHECK = "check"
_FACTOR, _SUMMAND = 1.5, 1.25  # of floats
_MAX_STEPS = 8  # until a collection has none of its values left


def make_counter_tests(test: str, entry_point: str) -> tuple[str, ...]:
    """Returns what may serve as counter-tests, the best first.

    The first changes what assertions expect, so that no answer meets both; where that is not found,
    it changes every value, if only one answer is right. The last negates the assertions. The first
    also catches values that claim to be equal to everything.
    """
    try:
        original = ast.unparse(ast.parse(test))
        names = {entry_point, *_list_parameters(ast.parse(test))}
        changes = (
            _change_expectations(test, names) or _change_values(test, names),
            ast.unparse(ast.fix_missing_locations(_NegateAssertions().visit(ast.parse(test)))),
        )
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # nested too deeply, say
        return ()
    return tuple(text for text in dict.fromkeys(changes) if text not in {None, original})


def _list_parameters(tree: ast.Module) -> set[str]:
    """Returns the names by which ``check`` knows the program's function."""
    return {
        argument.arg
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == _CHECK
        for argument in node.args.args
    }


def _change_expectations(test: str, names: set[str]) -> str:
    """Returns the test with other expectations; empty if none of them can be changed."""
    tree = ast.parse(test)
    changed: set[int] = set()
    for expectation in find_expectations(tree, NameFlow(tree, names)):
        constants = [c for c in _list_constants(expectation.node) if id(c) not in changed]
        if _CHANGES[expectation.change](expectation, constants):
            changed |= set(map(id, constants))
    return ast.unparse(tree) if changed else ""


def _change_values(test: str, names: set[str]) -> str | None:
    tree = ast.parse(test)
    if not has_single_answers(tree, NameFlow(tree, names)):
        return None
    return ast.unparse(ast.fix_missing_locations(_ChangeValues(names).visit(tree)))


def _list_constants(node: ast.AST) -> Iterator[ast.Constant]:
    """Yields the constants of an expression, without the parts of formatted text."""
    if isinstance(node, ast.Constant):
        yield node
    elif not isinstance(node, ast.JoinedStr):
        for part in ast.iter_child_nodes(node):
            yield from _list_constants(part)


def _change_to_other(_: Expectation, constants: list[ast.Constant]) -> bool:
    for constant in constants:
        constant.value = _change(constant.value)
    return bool(constants)


def _change_to_distant(_: Expectation, constants: list[ast.Constant]) -> bool:
    """Changes numbers by more than any tolerance that ``expectations`` accepts."""
    for constant in constants:
        value: Any = constant.value
        is_whole = isinstance(value, int)
        constant.value = value + value // 2 + 2 if is_whole else value * _FACTOR + _SUMMAND
    return bool(constants)


def _change_apart(expectation: Expectation, constants: list[ast.Constant]) -> bool:
    """Changes a collection until it has none of its values left; restores it if it always has."""
    before = [constant.value for constant in constants]
    values = list(ast.literal_eval(expectation.node))
    for n_steps in range(1, _MAX_STEPS):
        for constant, value in zip(constants, before, strict=True):
            constant.value = _change_often(value, n_steps)
        if not any(value in values for value in ast.literal_eval(expectation.node)):
            return bool(constants)
    for constant, value in zip(constants, before, strict=True):
        constant.value = value
    return False


_CHANGES: dict[Change, Callable[[Expectation, list[ast.Constant]], bool]] = {
    Change.OTHER: _change_to_other,
    Change.DISTANT: _change_to_distant,
    Change.APART: _change_apart,
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


class _NegateAssertions(ast.NodeTransformer):
    """Negates every assertion."""

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return node


def _change_often(value: Any, n_steps: int) -> Any:
    if n_steps > 1 and isinstance(value, str):
        return value + value[-1:] * (n_steps - 1)
    if n_steps > 1 and isinstance(value, bytes):
        return value + value[-1:] * (n_steps - 1)
    for _ in range(n_steps):
        value = _change(value)
    return value


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
