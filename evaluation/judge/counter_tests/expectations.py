"""What a test expects of a program, so that expecting something else excludes it.

Where several answers are right, a right one must not meet wrong expectations by chance. So only
what excludes the original expectation counts: the side of an equality that does not depend on the
program, a collection that a value must be in, a number that a value must be close to. What a
program is given, bounds, alternatives, and what it must be unequal to do not.
"""

import ast
import enum
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from evaluation.judge.counter_tests.name_flow import NameFlow

_MAX_ABSOLUTE, _MAX_RELATIVE = 0.5, 0.1  # tolerances, which a distant value exceeds twice
_CLOSE = {"isclose", "allclose", "assert_allclose"}
_EQUAL = {"array_equal"}
_ASSERTING = {"assertEqual", "assertAlmostEqual", "assertCountEqual", "assertDictEqual", "assertIs"}
_ASSERTING |= {"assertListEqual", "assertMultiLineEqual", "assertSequenceEqual", "assertSetEqual"}
_ASSERTING |= {"assertTupleEqual", "assert_equal", "assert_array_equal", "assert_almost_equal"}
_ASSERTING |= {"assert_array_almost_equal", "assert_called_with", "assert_called_once_with"}
_KINDS = {"isinstance", "issubclass", "callable", "hasattr"}
_EQUALITIES, _BOUNDS = (ast.Eq, ast.Is), (ast.Lt, ast.LtE)
_LISTS = (ast.List, ast.Tuple, ast.Set)


class Change(enum.Enum):
    """How the constants of an expectation are changed."""

    OTHER = enum.auto()  # each to any other value
    DISTANT = enum.auto()  # numbers, beyond all tolerance
    APART = enum.auto()  # to values of which the collection has none


class Expectation(NamedTuple):
    """An expression whose constants a test compares with what the program does."""

    node: ast.AST
    change: Change


def find_expectations(tree: ast.Module, flow: NameFlow) -> list[Expectation]:
    """Returns what must hold of every right answer, and of none once it is changed."""
    found = [
        expectation
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
        for expectation in _list_expectations(node.test, flow)
    ]
    compared = [e.node for e in found if e.change is Change.OTHER]
    inside = {id(part): part for node in compared for part in ast.walk(node)}
    names = {part.id for part in inside.values() if isinstance(part, ast.Name)}
    for name in sorted(names):  # those that are only compared stand for their values
        if all(id(load) in inside for load in flow.list_loads(name)):
            found += [Expectation(source, Change.OTHER) for source in flow.list_sources(name)]
    return found


def _list_expectations(test: ast.expr, flow: NameFlow) -> Iterator[Expectation]:
    """Yields those of an assertion, all of which must hold."""
    for part in _list_conjuncts(test):
        if isinstance(part, ast.Call) and len(part.args) == 2:  # noqa: PLR2004
            if _get_name(part) in _EQUAL:
                yield from _expect(part.args, flow)
            elif _get_name(part) in _CLOSE and _has_small_tolerances(part):
                yield from _expect(part.args, flow, Change.DISTANT)
        elif isinstance(part, ast.Compare) and len(part.ops) == 1:
            yield from _list_compared(part.left, part.ops[0], part.comparators[0], flow)


def _list_compared(
    left: ast.expr, operator: ast.cmpop, right: ast.expr, flow: NameFlow
) -> Iterator[Expectation]:
    if isinstance(operator, _EQUALITIES):
        yield from _expect([left, right], flow)
    elif isinstance(operator, ast.In) and _is_choice(right) and flow.depends_on_program(left):
        yield Expectation(right, Change.APART)
    elif isinstance(operator, _BOUNDS) and _is_small(right, _MAX_ABSOLUTE):
        sides = _split_distance(left)
        if sides is not None:
            yield from _expect(sides, flow, Change.DISTANT)


def _list_conjuncts(test: ast.expr) -> Iterator[ast.expr]:
    """Yields the conditions of which all must hold; of ``all``, what holds of each item."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        for value in test.values:
            yield from _list_conjuncts(value)
    elif isinstance(test, ast.Call) and _get_name(test) == "all":
        for part in test.args or [getattr(test.func, "value", test)]:
            if isinstance(part, (ast.GeneratorExp, ast.ListComp)):
                yield from _list_conjuncts(part.elt)
            elif isinstance(part, ast.Compare):
                yield part
            else:
                yield test
    else:
        yield test


def _expect(
    sides: Sequence[ast.expr], flow: NameFlow, change: Change = Change.OTHER
) -> Iterator[Expectation]:
    """Yields the side that does not depend on the program, if the other one does or may."""
    free = [side for side in sides if not flow.depends_on_program(side)]
    if len(free) == len(sides):  # what it prints, say
        free = [side for side in sides if _is_literal(side)]
    if len(free) == 1 and (change is Change.OTHER or _is_numeric(free[0])):
        yield Expectation(free[0], change)


def has_single_answers(tree: ast.Module, flow: NameFlow) -> bool:
    """Returns whether a test only compares for equality, or closeness, so that one answer is right.

    Then any of its values may be changed, whatever the program is given.
    """
    conditions: list[tuple[ast.expr, bool]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            conditions.append((node.test, True))
        elif isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise):
            conditions.append((node.test, False))
        elif isinstance(node, ast.Call) and _get_name(node).startswith("assert"):
            name = _get_name(node)
            is_own = isinstance(node.func, ast.Name) and name not in _CLOSE | _ASSERTING
            if not is_own:  # a function of the test's own has assertions
                is_single = name in _CLOSE | _ASSERTING
                conditions.append((ast.Constant(value=True), is_single))
    return bool(conditions) and all(
        _is_single(part, flow) if is_wanted else _is_single_failure(part, flow)
        for test, is_wanted in conditions
        for part in _list_conjuncts(test)
    )


def _is_single(test: ast.expr, flow: NameFlow) -> bool:
    """Returns whether a condition that must hold leaves one answer."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        if isinstance(test.ops[0], _BOUNDS):
            return _split_distance(test.left) is not None
        return isinstance(test.ops[0], _EQUALITIES)
    if isinstance(test, ast.Call):
        return _get_name(test) in _CLOSE | _EQUAL | _KINDS
    if isinstance(test, ast.Name):
        sources = flow.list_sources(test.id)
        return bool(sources) and all(
            isinstance(source, (ast.Compare, ast.Call)) and _is_single(source, flow)
            for source in sources
        )
    return isinstance(test, ast.Constant)


def _is_single_failure(test: ast.expr, flow: NameFlow) -> bool:
    """Returns whether a condition that must not hold leaves one answer."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return all(_is_single(part, flow) for part in _list_conjuncts(test.operand))
    return isinstance(test, ast.Compare) and all(
        isinstance(op, (ast.NotEq, ast.IsNot)) for op in test.ops
    )


def _split_distance(node: ast.expr) -> tuple[ast.expr, ast.expr] | None:
    """Returns a and b if an expression is ``abs(a - b)``."""
    if isinstance(node, ast.Call) and _get_name(node) in {"abs", "fabs"} and len(node.args) == 1:
        part = node.args[0]
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Sub):
            return part.left, part.right
    return None


def _has_small_tolerances(call: ast.Call) -> bool:
    limits = {"rel_tol": _MAX_RELATIVE, "rtol": _MAX_RELATIVE}
    limits |= {"abs_tol": _MAX_ABSOLUTE, "atol": _MAX_ABSOLUTE}
    return all(k.arg in limits and _is_small(k.value, limits[k.arg]) for k in call.keywords)


def _is_small(node: ast.expr, limit: float) -> bool:
    value = getattr(node, "value", None)
    return isinstance(value, int | float) and value <= limit


def _is_choice(node: ast.expr) -> bool:
    return isinstance(node, _LISTS) and _is_literal(node)


def _is_literal(node: ast.expr) -> bool:
    """Returns whether an expression consists of constants alone."""
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):  # an unhashable item of a set, say
        return False
    return True


def _is_numeric(node: ast.expr) -> bool:
    """Returns whether an expression is a number, or a list of numbers."""
    constants = [part for part in ast.walk(node) if isinstance(part, ast.Constant)]
    kinds = {type(constant.value) for constant in constants}
    return _is_literal(node) and kinds <= {int, float}


def _get_name(call: ast.Call) -> str:
    """Returns the last part of what is called."""
    return getattr(call.func, "id", getattr(call.func, "attr", ""))
