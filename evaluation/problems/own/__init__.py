"""This project's own problems, easier than HumanEval: they show the progress of a small model.

A problem is a function. Its signature and docstring are the prompt, its body is the canonical
solution, and ``check_NAME`` is its test. The files are read as text, never imported.
"""

import ast
from pathlib import Path

from evaluation.problems.problem import Problem

FOLDER = Path(__file__).parent


def load_own_problems() -> tuple[Problem, ...]:
    """Returns the problems of this folder's files, in alphabetical order of the files."""
    return tuple(p for path in sorted(FOLDER.glob("[!_]*.py")) for p in _parse_file(path))


def _parse_file(path: Path) -> list[Problem]:
    source = path.read_text(encoding="utf-8")
    functions = {n.name: n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)}
    return [
        _make_problem(source, function, functions[f"check_{name}"])
        for name, function in functions.items()
        if not name.startswith("check_")
    ]


def _make_problem(source: str, function: ast.FunctionDef, check: ast.FunctionDef) -> Problem:
    prompt_end = function.body[0].end_lineno or function.lineno  # of the docstring
    test = _extract_lines(source, check.lineno, check.end_lineno)
    return Problem(
        task_id=f"own/{function.name}",
        prompt=_extract_lines(source, function.lineno, prompt_end),
        entry_point=function.name,
        canonical_solution=_extract_lines(source, prompt_end + 1, function.end_lineno),
        test=test.replace(f"def {check.name}(", "def check(", 1),
    )


def _extract_lines(source: str, first: int, last: int | None) -> str:
    return "".join(source.splitlines(keepends=True)[first - 1 : last])
