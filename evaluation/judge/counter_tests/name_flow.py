"""Which names of a test depend on the program under test, and what the others are made of.

An approximation that errs on the side of the program: what is passed to it, what a function of the
test's own is called with, and what an exception says depend on it.
"""

import ast
from collections.abc import Iterator
from typing import NamedTuple

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_LOOPS = (ast.For, ast.AsyncFor, ast.comprehension)
_LISTS = (ast.List, ast.Tuple)


class _Binding(NamedTuple):
    """Names, and the expression or definition that they are bound to, or to parts of."""

    names: set[str]
    value: ast.AST


class NameFlow:
    """The names of one test.

    Args:
        tree: The test.
        program: The names of the program's function.
    """

    def __init__(self, tree: ast.Module, program: set[str]) -> None:
        self._loads: dict[str, list[ast.Name]] = {}
        self._sources: dict[str, list[ast.expr]] = {}
        bindings: list[_Binding] = []
        calls: list[ast.Call] = []
        self._dependent = set(program)
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                self._loads.setdefault(node.id, []).append(node)
            elif isinstance(node, ast.Call):
                calls.append(node)
            elif isinstance(node, ast.ExceptHandler) and node.name:
                self._dependent.add(node.name)
            bindings += _list_bindings(node)
            if isinstance(node, _FUNCTIONS):
                self._dependent |= {arg.arg for arg in _list_arguments(node.args)}
        for node in ast.walk(tree):
            for name, source in self._pair(node):
                self._sources.setdefault(name, []).append(source)
        self._close(bindings, calls)

    def depends_on_program(self, node: ast.AST) -> bool:
        """Returns whether an expression mentions anything that depends on the program."""
        return not self._dependent.isdisjoint(_list_names(node))

    def list_sources(self, name: str) -> list[ast.expr]:
        """Returns the expressions of which a name, or each in turn, takes its value."""
        return self._sources.get(name, [])

    def list_loads(self, name: str) -> list[ast.Name]:
        """Returns where a name is read."""
        return self._loads.get(name, [])

    def _close(self, bindings: list[_Binding], calls: list[ast.Call]) -> None:
        """Follows the dependence through bindings and arguments, until no name is added."""
        n_before = -1
        while n_before < len(self._dependent):
            n_before = len(self._dependent)
            for names, value in bindings:
                if self.depends_on_program(value):
                    self._dependent |= names
            for call in calls:
                if self.depends_on_program(call.func):
                    for argument in (*call.args, *(k.value for k in call.keywords)):
                        self._dependent |= set(_list_names(argument))

    def _pair(self, node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
        """Yields each name that a statement binds, with the parts that become its value."""
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _pair_value(target, node.value)
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            yield from _pair_value(node.target, node.value)
        elif isinstance(node, _LOOPS):
            yield from self._pair_items(node.target, node.iter)

    def _pair_items(self, target: ast.expr, items: ast.expr) -> Iterator[tuple[str, ast.expr]]:
        items = self._resolve(items)
        if isinstance(target, ast.Name):
            yield target.id, items
        elif isinstance(target, _LISTS) and isinstance(items, ast.Call):
            for part, argument in _pair_parts(target, items):
                yield from self._pair_items(part, argument)
            is_counted = getattr(items.func, "id", "") == "enumerate" and items.args
            if is_counted and len(target.elts) == 2:  # noqa: PLR2004
                yield from self._pair_items(target.elts[1], items.args[0])
        elif isinstance(target, _LISTS) and isinstance(items, _LISTS):
            for item in items.elts:
                yield from _pair_value(target, item)

    def _resolve(self, node: ast.expr) -> ast.expr:
        """Returns the value of a name that is bound once, before, and read nowhere else."""
        if isinstance(node, ast.Name) and len(self.list_loads(node.id)) == 1:
            sources = self.list_sources(node.id)
            return sources[0] if len(sources) == 1 else node
        return node


def _pair_value(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    else:
        for part, item in _pair_parts(target, value):
            yield from _pair_value(part, item)


def _pair_parts(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """Returns the parts of a target with those of its value; none if they do not correspond."""
    if not isinstance(target, _LISTS):
        return []
    is_zip = isinstance(value, ast.Call) and getattr(value.func, "id", "") == "zip"
    parts = value.args if is_zip else getattr(value, "elts", [])  # type: ignore[attr-defined]
    return list(zip(target.elts, parts, strict=True)) if len(target.elts) == len(parts) else []


def _list_bindings(node: ast.AST) -> list[_Binding]:
    if isinstance(node, ast.Assign):
        return [part for target in node.targets for part in _bind(target, node.value)]
    if isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)):
        return [_Binding(set(_list_names(node.target)), node)]
    if isinstance(node, _LOOPS):
        return _bind(node.target, node.iter, is_loop=True)
    if isinstance(node, ast.withitem) and node.optional_vars is not None:
        return [_Binding(set(_list_names(node.optional_vars)), node.context_expr)]
    return [_Binding({node.name}, node)] if isinstance(node, _DEFINITIONS) else []


def _bind(target: ast.expr, value: ast.expr, *, is_loop: bool = False) -> list[_Binding]:
    is_zip = isinstance(value, ast.Call)
    pairs = _pair_parts(target, value) if is_zip == is_loop else []
    return [_Binding(set(_list_names(t)), v) for t, v in pairs or [(target, value)]]


def _list_names(node: ast.AST) -> Iterator[str]:
    return (part.id for part in ast.walk(node) if isinstance(part, ast.Name))


def _list_arguments(arguments: ast.arguments) -> list[ast.arg]:
    others = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *others]
