"""Drops data tables: documents that are mostly large literals of constants.

Called by :mod:`training.corpus.filters.screening`.
"""

import ast
from collections.abc import Iterator

TABLE = "data table"
_MIN_CONSTANTS = 50  # in a literal that counts as a table
_MAX_OTHER_SHARE = 0.1  # of its nodes that are names, calls or operators
_IN_LITERALS = (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.unaryop, ast.expr_context)


def is_table(tree: ast.Module, text: str, max_share: float | None) -> bool:
    """Returns whether tables take more than ``max_share`` of a document; never if that is None."""
    return max_share is not None and compute_table_share(tree, text) > max_share


def compute_table_share(tree: ast.Module, text: str) -> float:
    """Returns the share of a document's characters on lines of large literals of constants.

    Only assignments and calls in module and class bodies count: in a function, a list of values is
    part of its logic.
    """
    ends = [0]
    for line in text.split("\n"):
        ends.append(ends[-1] + len(line) + 1)
    covered = 0
    for node in _iter_tables(tree):
        last = min(node.end_lineno or node.lineno, len(ends) - 1)
        covered += ends[last] - ends[node.lineno - 1]
    return covered / ends[-1]


def _iter_tables(tree: ast.Module) -> Iterator[ast.expr]:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr)):
            yield from (
                literal for literal in _iter_collections(node.value) if _has_constants(literal)
            )
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for field in ("body", "orelse", "finalbody", "handlers"):
                waiting += getattr(node, field, ())


def _iter_collections(value: ast.expr | None) -> Iterator[ast.expr]:
    """Yields a value, or the arguments of a call, if they are collections."""
    values: list[ast.expr | None] = [value]
    if isinstance(value, ast.Call):
        values = [*value.args, *(keyword.value for keyword in value.keywords)]
    for one in values:
        if isinstance(one, (ast.List, ast.Tuple, ast.Set, ast.Dict)):
            yield one


def _has_constants(literal: ast.expr) -> bool:
    n_constants = n_other = 0
    for node in ast.walk(literal):
        if isinstance(node, ast.Constant):
            n_constants += 1
        elif not isinstance(node, _IN_LITERALS):
            n_other += 1
    return n_constants >= _MIN_CONSTANTS and n_other <= _MAX_OTHER_SHARE * n_constants
