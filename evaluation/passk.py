"""pass@k: ``python -m evaluation.passk --model DIR --problems humaneval --n 5 --k 1 5``.

Proves the sandbox, generates with the completer that users get, judges, reports. The samples can be
another model's, a server's, or a file's too. Each stage goes on where it was interrupted when the
same command is run again; ``accelerate launch -m evaluation.passk ...`` spreads the generation over
processes. Without a sandbox it refuses, unless told otherwise by name; the summary then says so.
"""

import argparse
import dataclasses
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.claim import RUN_FILE, claim
from evaluation.config import Generation, PassConfig
from evaluation.generate import SAMPLES_FILE, gather_samples, generate_samples
from evaluation.grade import (
    Court,
    check_problems,
    grade_samples,
    invalid_problems,
    write_results,
)
from evaluation.journal import line_of, read_journal
from evaluation.judge.cgroups import bounded_by
from evaluation.judge.isolation import Isolation
from evaluation.judge.levels import LEVELS, UNCONFINED, proven
from evaluation.judge.verdict import MIB, Limits
from evaluation.problems.problem import ProblemSet
from evaluation.problems.sources import load_problems
from evaluation.processes import Processes
from evaluation.report import write_report
from evaluation.samples import imported
from evaluation.summary import check_validity, read_overlap, show, summarise
from evaluation.writers.writer import Writer
from training.artifact.errors import ConfigError, run_main
from training.artifact.files import write_text_atomically
from training.artifact.schema import to_mapping

CANONICAL = "canonical"


def main(argv: Sequence[str]) -> int:
    """Runs what is left of a run and prints its figures."""
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
            "isolation": isolation.level,
            "memory_bounded": bounded_by(),
        }
        court = Court(
            limits=self.config.limits,
            workers=self.config.workers,
            isolation=isolation,
        )
        if self.processes.is_main and not self.options.partial:
            claim(self.out, identity)
            if samples is not None:
                write_text_atomically(self.out / SAMPLES_FILE, samples)
        self.processes.wait()
        if writer is not None:
            self._generate(writer)
        if self.processes.is_main:
            self._judge(court)
        return 0

    def _isolation(self) -> Isolation:
        """Returns the best isolation that proves itself; processes that do not judge need none."""
        if self.options.unsafe_no_sandbox:
            if self.processes.is_main:
                sys.stderr.write("warning: no sandbox; the programs can do anything that you can\n")
            return UNCONFINED
        if self.options.partial or not self.processes.is_main:
            return LEVELS[0]
        return proven(self.config.limits, wanted=self.options.isolation)

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

    def _judge(self, court: Court) -> None:
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
            invalid = {} if self.options.canonical else self._invalid(samples, court)
            grade_samples(samples, self.out, self.problems, court, invalid=invalid)
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

    def _invalid(self, samples: Path, court: Court) -> dict[str, str]:
        sampled = {sample["task_id"] for sample in read_journal(samples)}
        problems = [p for p in self.problem_set.problems if p.task_id in sampled]
        return check_problems(problems, self.out, court)

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
        from evaluation.writers.completions_api import CompletionsWriter  # noqa: PLC0415

        return CompletionsWriter(options.url, options.model)
    from evaluation.writers.choice import model_writer  # noqa: PLC0415 - judging needs no torch

    return model_writer(options.model)


def _canonical(problem_set: ProblemSet) -> str:
    lines = []
    for problem in problem_set.problems:
        if problem.canonical_solution is None:
            raise ConfigError(f"the problem {problem.task_id} has no 'canonical_solution'")
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
            f"pass@{max(config.k)} needs at least {max(config.k)} samples a problem, --n is"
            f" {config.generation.n}"
        )
    return config


def _parser() -> argparse.ArgumentParser:
    default = PassConfig()
    drawn = default.generation
    parser = argparse.ArgumentParser(prog="python -m evaluation.passk", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--model", help="an artifact directory, any causal language model's folder or Hub name"
    )
    what.add_argument("--samples", type=Path, help="judge these samples, made elsewhere")
    what.add_argument(
        "--canonical", action="store_true", help="judge the problems' own solutions instead"
    )
    parser.add_argument("--url", help="a server with /v1/completions that has the --model")
    parser.add_argument("--problems", default=default.problems, help="a known set, or a file")
    parser.add_argument("--out", type=Path, default=Path("runs/passk"), help="the run's folder")
    parser.add_argument("--n", type=int, default=drawn.n, help="samples a problem")
    parser.add_argument("--k", type=int, nargs="+", help="the k of each pass@k")
    parser.add_argument("--temperature", type=float, default=drawn.temperature)
    parser.add_argument("--top-p", type=float, default=drawn.top_p)
    parser.add_argument("--max-new-tokens", type=int, default=drawn.max_new_tokens)
    parser.add_argument("--seed", type=int, default=drawn.seed)
    parser.add_argument("--cpu-s", type=float, help="seconds of CPU time for each program")
    parser.add_argument(
        "--memory-mib", type=int, default=default.limits.memory_bytes // MIB, help="for each"
    )
    parser.add_argument("--workers", type=int, default=default.workers, help="sandboxes")
    parser.add_argument(
        "--overlap", type=Path, help="what python -m training.corpus.overlap found in the corpus"
    )
    parser.add_argument(
        "--partial", action="store_true", help="only the figures of what is judged so far"
    )
    parser.add_argument(
        "--isolation", choices=[level.level for level in LEVELS], help="this one or none"
    )
    parser.add_argument(
        "--unsafe-no-sandbox", action="store_true", help="judge without isolation; stamped on it"
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
