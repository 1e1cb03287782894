"""pass@k: ``python -m evaluation.passk --model DIR --problems humaneval --n 5 --k 1 5``.

Tests the sandbox, generates with the completer that users get, judges, reports. Samples can also
come from another model, a server or a file. Each stage resumes where it was interrupted when the
same command is run again; ``accelerate launch -m evaluation.passk ...`` spreads the generation over
processes. Without a sandbox it refuses, unless ``--unsafe-no-sandbox`` is given, which is recorded.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.command_line import add_out_argument
from evaluation.generators.generator import Writer
from evaluation.judge.cgroups import describe_memory_bound
from evaluation.judge.levels.isolation_level import IsolationLevel
from evaluation.judge.levels.ranking import LEVELS, UNCONFINED, select_level
from evaluation.judge.sandbox_pool import JudgeSettings
from evaluation.judge.verdict import MIB, Limits
from evaluation.passk.config import Generation, PassConfig
from evaluation.passk.generation import SAMPLES_FILE, gather_samples, generate_samples
from evaluation.passk.judging import (
    check_problems,
    grade_samples,
    invalid_problems,
    write_results,
)
from evaluation.passk.sample_files import imported
from evaluation.passk.summary import check_validity, read_overlap, show, summarise
from evaluation.problems.problem import ProblemSet
from evaluation.problems.problem_sources import KNOWN, OWN, load_problems
from evaluation.report import write_report
from evaluation.runs.journal import line_of, read_journal
from evaluation.runs.processes import Processes
from evaluation.runs.run_folder import RUN_FILE, claim
from training.foundation.atomic_files import write_text_atomically
from training.foundation.command_parser import command_parser
from training.foundation.config_schema import to_mapping
from training.foundation.errors import ConfigError, run_main
from training.foundation.folder_lock import folder_lock

CANONICAL = "canonical"
_PURPOSE = """\
Run a model's completions against unit tests in a sandbox, and estimate pass@k: the
chance that at least one of k completions solves a problem.

Writes to --out: samples.jsonl, results.jsonl (one verdict per sample), summary.json
and report.html. Run the same command again to resume an interrupted run."""
_EXAMPLE = """\
{prog} --canonical
{prog} --model server/model --problems own --n 5 --k 1 5
{prog} --model bigcode/santacoder --problems humaneval --n 20 --k 1 10
{prog} --samples samples.jsonl --problems humaneval"""


def main(argv: Sequence[str]) -> int:
    """Runs what is left of a run and prints the scores."""
    options = _parser().parse_args(argv)
    processes = Processes()
    try:
        return Run(options, processes).run()
    finally:
        processes.close()


class Run:
    """One run of pass@k, in one of the processes that share it."""

    def __init__(self, options: argparse.Namespace, processes: Processes) -> None:
        self.options = options
        self.processes = processes
        self.problem_set = load_problems(options.problems)
        self.config = _config(options, self.problem_set)
        self.problems = {p.task_id: p for p in self.problem_set.problems}
        self.out: Path = options.out

    def run(self) -> int:
        """Samples, verdicts, figures; the main process judges."""
        isolation = self._isolation()
        writer = None if self.options.partial else _writer(self.options)
        samples = None if self.options.partial else self._given_samples()
        identity = {
            **(writer.identity if writer else self._source_of(samples)),
            "problems_sha256": self.problem_set.sha256,
            "generation": to_mapping(self.config.generation),
            "limits": to_mapping(self.config.limits),
            "isolation": isolation.name,
            "memory_bounded": describe_memory_bound(),
        }
        settings = JudgeSettings(
            limits=self.config.limits,
            workers=self.config.workers,
            isolation=isolation,
        )
        owns_folder = self.processes.is_main and not self.options.partial
        with folder_lock(self.out) if owns_folder else contextlib.nullcontext():
            if owns_folder:
                claim(self.out, identity)
                if samples is not None:
                    write_text_atomically(self.out / SAMPLES_FILE, samples)
            self.processes.wait()
            if writer is not None:
                self._generate(writer)
            if self.processes.is_main:
                self._judge(settings)
        return 0

    def _isolation(self) -> IsolationLevel:
        """Returns the best isolation that proves itself; processes that do not judge need none."""
        if self.options.unsafe_no_sandbox:
            if self.processes.is_main:
                sys.stderr.write(
                    "warning: no sandbox: generated programs run with all your permissions\n"
                )
            return UNCONFINED
        if self.options.partial or not self.processes.is_main:
            return LEVELS[0]
        return select_level(self.config.limits, wanted=self.options.isolation)

    def _given_samples(self) -> str | None:
        """Returns the samples that nobody has to write, as lines."""
        if self.options.samples:
            return imported(self.options.samples, self.problems)
        return _canonical(self.problem_set) if self.options.canonical else None

    def _source_of(self, samples: str | None) -> Mapping[str, str]:
        if samples is None:
            return {}
        digest = hashlib.sha256(samples.encode()).hexdigest()
        source = str(self.options.samples) if self.options.samples else CANONICAL
        return {"model": source, "samples_sha256": digest}

    def _generate(self, writer: Writer) -> None:
        generate_samples(
            writer,
            self.problem_set.problems,
            self.config.generation,
            self.out,
            process=self.processes.index,
            n_processes=self.processes.n,
        )
        self.processes.wait()
        if self.processes.is_main:
            gather_samples(self.problem_set.problems, self.out)

    def _judge(self, settings: JudgeSettings) -> None:
        samples = self.out / SAMPLES_FILE
        if self.options.partial:
            if self.options.model:
                gather_samples(self.problem_set.problems, self.out)
            write_results(
                samples,
                self.out,
                self.problems,
                self._about()["isolation"],
                invalid=invalid_problems(self.out),
                is_partial=True,
            )
        else:
            invalid = {} if self.options.canonical else self._invalid(samples, settings)
            grade_samples(samples, self.out, self.problems, settings, invalid=invalid)
        summary = summarise(
            self.out,
            ks=self.config.k,
            n_wanted=self._n_wanted(samples),
            about=self._about(),
            overlap=read_overlap(self.options.overlap),
        )
        write_report(self.out, summary)
        show(summary)
        check_validity(summary)

    def _invalid(self, samples: Path, settings: JudgeSettings) -> dict[str, str]:
        sampled = {sample["task_id"] for sample in read_journal(samples)}
        problems = [p for p in self.problem_set.problems if p.task_id in sampled]
        return check_problems(problems, self.out, settings)

    def _n_wanted(self, samples: Path) -> int:
        if self.options.samples or self.options.canonical:
            return samples.read_bytes().count(b"\n")
        return len(self.problems) * self.config.generation.n

    def _about(self) -> dict[str, Any]:
        known = {"problem_set": self.problem_set.name, "is_known_set": self.problem_set.is_known}
        run = json.loads((self.out / RUN_FILE).read_text(encoding="utf-8"))
        return {**run, **known, "config": to_mapping(self.config)}


def _writer(options: argparse.Namespace) -> Writer | None:
    """Returns who writes the samples; None if they are there already."""
    if options.model is None:
        return None
    if options.url is not None:
        from evaluation.generators.api_generator import CompletionsWriter  # noqa: PLC0415

        return CompletionsWriter(options.url, options.model)
    from evaluation.generators.registry import model_writer  # noqa: PLC0415 - judging needs no torch

    return model_writer(options.model)


def _canonical(problem_set: ProblemSet) -> str:
    lines = []
    for problem in problem_set.problems:
        if problem.canonical_solution is None:
            raise ConfigError(
                f"the problem {problem.task_id} has no 'canonical_solution', which --canonical"
                " judges; use --model or --samples"
            )
        sample = {"task_id": problem.task_id, "completion": problem.canonical_solution}
        lines.append(line_of({**sample, "sample": 0}))
    return "".join(lines)


def _config(options: argparse.Namespace, problem_set: ProblemSet) -> PassConfig:
    limits = Limits()
    cpu_s = options.cpu_s or problem_set.cpu_s or limits.cpu_s
    ks = options.k or ([1] if options.canonical or options.samples else list(PassConfig().k))
    try:
        config = PassConfig(
            problems=options.problems,
            generation=Generation(
                n=1 if options.canonical else options.n,
                temperature=options.temperature,
                top_p=options.top_p,
                max_new_tokens=options.max_new_tokens,
                seed=options.seed,
            ),
            limits=dataclasses.replace(
                limits,
                cpu_s=cpu_s,
                wall_s=max(limits.wall_s, 4 * cpu_s),
                memory_bytes=options.memory_mib * MIB,
            ),
            k=tuple(sorted(set(ks))),
            workers=options.workers,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if not options.samples and max(config.k) > config.generation.n:
        raise ConfigError(
            f"pass@{max(config.k)} needs at least {max(config.k)} samples per problem, but --n is"
            f" {config.generation.n}; raise --n or lower --k"
        )
    return config


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("evaluation.passk", _PURPOSE, example=_EXAMPLE)
    _add_sources(parser)
    _add_sampling(parser)
    _add_judging(parser)
    _add_reporting(parser)
    return parser


def _add_sources(parser: argparse.ArgumentParser) -> None:
    default = PassConfig()
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--model",
        help="generate with this model: an artifact folder, or the folder or Hub name of any causal"
        " language model",
    )
    what.add_argument(
        "--samples",
        type=Path,
        metavar="FILE",
        help="judge existing samples: JSON lines with task_id and completion or solution, or an"
        " EvalPlus folder",
    )
    what.add_argument(
        "--canonical",
        action="store_true",
        help="judge the problems' own solutions, to check the problems and the sandbox",
    )
    parser.add_argument(
        "--url", help="generate through this server's /v1/completions; --model names its model"
    )
    known = ", ".join([OWN, *KNOWN])
    parser.add_argument(
        "--problems",
        default=default.problems,
        metavar="SET",
        help=f"a problem set ({known}) or a JSON-lines file (default: %(default)s)",
    )
    add_out_argument(parser, Path("runs/passk"), "the run's folder; run again to resume")


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    drawn = Generation()
    group = parser.add_argument_group("generation")
    group.add_argument(
        "--n", type=int, default=drawn.n, help="samples per problem (default: %(default)s)"
    )
    group.add_argument(
        "--temperature",
        type=float,
        default=drawn.temperature,
        help="sampling temperature; 0 is greedy (default: %(default)s)",
    )
    group.add_argument(
        "--top-p",
        type=float,
        default=drawn.top_p,
        help="nucleus sampling: the probability mass to draw from (default: %(default)s)",
    )
    group.add_argument(
        "--max-new-tokens",
        type=int,
        default=drawn.max_new_tokens,
        help="maximum length of a sample, in tokens (default: %(default)s)",
    )
    group.add_argument(
        "--seed", type=int, default=drawn.seed, help="random seed (default: %(default)s)"
    )


def _add_reporting(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("reporting")
    group.add_argument(
        "--k",
        type=int,
        nargs="+",
        help="report pass@k for each of these k (default: 1 5; 1 without --model)",
    )
    group.add_argument(
        "--overlap",
        type=Path,
        metavar="FILE",
        help="also report pass@k without the problems that are in the training corpus, as listed by"
        " parrotlet overlap",
    )
    group.add_argument(
        "--partial",
        action="store_true",
        help="only report what has been judged so far, while another process continues the run",
    )


def _add_judging(parser: argparse.ArgumentParser) -> None:
    default = PassConfig()
    group = parser.add_argument_group("judging")
    group.add_argument(
        "--cpu-s",
        type=float,
        metavar="SECONDS",
        help=f"CPU time limit per program (default: the problem set's, else {Limits().cpu_s:g})",
    )
    group.add_argument(
        "--memory-mib",
        type=int,
        default=default.limits.memory_bytes // MIB,
        metavar="MIB",
        help="memory limit per program (default: %(default)s)",
    )
    group.add_argument(
        "--workers",
        type=int,
        default=default.workers,
        help="sandboxes that run at the same time (default: %(default)s)",
    )
    group.add_argument(
        "--isolation",
        choices=[level.name for level in LEVELS],
        help="require this isolation level (default: the best that works here)",
    )
    group.add_argument(
        "--unsafe-no-sandbox",
        action="store_true",
        help="run programs without isolation; recorded in the results",
    )


if __name__ == "__main__":
    sys.exit(run_main(main))
