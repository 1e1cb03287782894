"""Problems of this project's own, easier than HumanEval: a small model's progress shows in them.

Each is a function with its docstring, which is the prompt; its body is the canonical solution; and
``check_NAME`` is its test. They are read as text, never imported.
"""

import ast
from pathlib import Path

from evaluation.problems.problem import Problem

FOLDER = Path(__file__).parent


def own_problems() -> tuple[Problem, ...]:
    """Returns the problems of this folder's files, in alphabetical order of the files."""
    return tuple(p for path in sorted(FOLDER.glob("[!_]*.py")) for p in _problems_in(path))


def _problems_in(path: Path) -> list[Problem]:
    source = path.read_text(encoding="utf-8")
    functions = {n.name: n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)}
    return [
        Problem(
            task_id=f"own/{name}",
            prompt=_lines(source, function.lineno, _docstring_end(function)),
            entry_point=name,
            canonical_solution=_lines(source, _docstring_end(function) + 1, function.end_lineno),
            test=_source_of(source, functions[f"check_{name}"]).replace(
                f"def check_{name}(", "def check(", 1
            ),
        )
        for name, function in functions.items()
        if not name.startswith("check_")
    ]


def _docstring_end(function: ast.FunctionDef) -> int:
    return function.body[0].end_lineno or function.lineno


def _source_of(source: str, function: ast.FunctionDef) -> str:
    return _lines(source, function.lineno, function.end_lineno)


def _lines(source: str, first: int, last: int | None) -> str:
    return "".join(source.splitlines(keepends=True)[first - 1 : last])
