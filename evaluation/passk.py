"""pass@k: ``python -m evaluation.passk --model DIR --problems humaneval --n 5 --k 1 5``.

Proves the sandbox, generates with the completer that users get, judges, reports. Each stage goes on
where it was interrupted when the same command is run again. Without a sandbox it refuses, unless
told otherwise by name; the summary then says so.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.config import Generation, PassConfig
from evaluation.generate import generate_samples
from evaluation.grade import grade_samples
from evaluation.journal import Journal, read_journal
from evaluation.judge import bubblewrap, unconfined
from evaluation.judge.selftest import run_selftest
from evaluation.problems import ProblemSet, load_problems
from evaluation.report import show, summarise
from training.artifact.errors import ConfigError, run_main
from training.artifact.files import file_sha256, write_json_atomically
from training.artifact.schema import to_mapping

if TYPE_CHECKING:
    from server.completer import Completer

CANONICAL = "canonical"


def main(argv: Sequence[str]) -> int:
    """Runs what is left of a run and prints its figures."""
    options = _parser().parse_args(argv)
    config = _config(options)
    problem_set = load_problems(config.problems)
    isolation = unconfined if options.unsafe_no_sandbox else bubblewrap
    if isolation is bubblewrap:
        run_selftest(config.limits)
    else:
        sys.stderr.write("warning: no sandbox; the programs can do anything that you can\n")
    completer, who = (None, {"model": CANONICAL}) if options.canonical else _load(options.model)
    identity = {
        **who,
        "problems_sha256": problem_set.sha256,
        "generation": to_mapping(config.generation),
        "limits": to_mapping(config.limits),
        "isolation": isolation.LEVEL,
    }
    _claim(options.out, identity)
    samples = options.out / "samples.jsonl"
    if completer is None:
        _write_canonical(problem_set, samples)
    else:
        generate_samples(completer, problem_set.problems, config.generation, samples)
    problems = {p.task_id: p for p in problem_set.problems}
    results = options.out / "results.jsonl"
    grade_samples(
        samples,
        results,
        problems,
        limits=config.limits,
        workers=config.workers,
        command=isolation.command,
    )
    n_samples = sum(1 for _ in read_journal(samples))
    about = {**identity, "problem_set": problem_set.name}
    show(summarise(options.out, config, n_samples=n_samples, about=about))
    return 0


def _load(model: Path) -> tuple["Completer", dict[str, str]]:
    """Returns the completer and what its run is known by: the weights, not only their folder."""
    from server.completer import Completer  # noqa: PLC0415 - judging alone needs no torch
    from training.artifact.directory import WEIGHTS_FILE  # noqa: PLC0415 - nor here

    completer = Completer.load(model)
    return completer, {"model": str(model), "weights_sha256": file_sha256(model / WEIGHTS_FILE)}


def _write_canonical(problem_set: ProblemSet, samples: Path) -> None:
    done = {record["task_id"] for record in read_journal(samples)}
    with Journal(samples) as journal:
        for problem in problem_set.problems:
            if problem.task_id not in done:
                journal.append(
                    {
                        "task_id": problem.task_id,
                        "sample": 0,
                        "completion": problem.canonical_solution,
                    }
                )


def _claim(out: Path, identity: dict[str, Any]) -> None:
    """Marks the folder as this run's, or checks that it is."""
    path = out / "run.json"
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} is damaged; choose another --out") from error
        if found != identity:
            key = next(k for k in identity if found.get(k) != identity[k])
            raise ConfigError(f"{out} holds a run with another {key}; choose another --out")
    write_json_atomically(path, identity)


def _config(options: argparse.Namespace) -> PassConfig:
    try:
        return PassConfig(
            problems=options.problems,
            generation=Generation(
                n=1 if options.canonical else options.n,
                temperature=options.temperature,
                top_p=options.top_p,
                max_new_tokens=options.max_new_tokens,
                seed=options.seed,
            ),
            k=(1,) if options.canonical else tuple(options.k),
            workers=options.workers,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _parser() -> argparse.ArgumentParser:
    default = PassConfig()
    drawn = default.generation
    parser = argparse.ArgumentParser(prog="python -m evaluation.passk", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", type=Path, help="an artifact directory")
    what.add_argument(
        "--canonical", action="store_true", help="judge the problems' own solutions instead"
    )
    parser.add_argument("--problems", default=default.problems, help="humaneval, or a file")
    parser.add_argument("--out", type=Path, default=Path("runs/passk"), help="the run's folder")
    parser.add_argument("--n", type=int, default=drawn.n, help="samples a problem")
    parser.add_argument("--k", type=int, nargs="+", default=list(default.k))
    parser.add_argument("--temperature", type=float, default=drawn.temperature)
    parser.add_argument("--top-p", type=float, default=drawn.top_p)
    parser.add_argument("--max-new-tokens", type=int, default=drawn.max_new_tokens)
    parser.add_argument("--seed", type=int, default=drawn.seed)
    parser.add_argument(
        "--unsafe-no-sandbox", action="store_true", help="judge without isolation; stamped on it"
    )
    parser.add_argument("--workers", type=int, default=default.workers, help="sandboxes")
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
