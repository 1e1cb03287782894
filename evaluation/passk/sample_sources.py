"""Where a run's samples come from: a model, a file, or the problems' own solutions.

All three are a :class:`SampleSource`, so that what follows (judging, scores, report) does not ask
which of them it was.
"""

import argparse
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evaluation.generators.generator import Generation, Generator
from evaluation.passk.generation import generate_samples, merge_samples
from evaluation.passk.records import Sample
from evaluation.passk.sample_files import read_sample_file
from evaluation.problems.problem import Problem, ProblemSet
from evaluation.runs.journal import read_records, to_json_line
from evaluation.runs.processes import Processes
from training.foundation.atomic_files import write_text_atomically
from training.foundation.errors import ConfigError

SAMPLES_FILE = "samples.jsonl"
CANONICAL = "canonical"
SAMPLES_SHA256 = "samples_sha256"  # of samples that exist before the run, in its identity


class SampleSource(Protocol):
    """Where samples come from."""

    @property
    def identity(self) -> Mapping[str, str]:
        """The model, and whatever fixes its version; recorded as part of the run's identity."""
        ...

    def collect(
        self,
        problems: Sequence[Problem],
        generation: Generation,
        out: Path,
        processes: Processes,
    ) -> list[Sample]:
        """Writes ``samples.jsonl`` in the main process, and returns the samples.

        Every process of the run calls this. What an interrupted run has already generated is kept.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class GeneratedSamples:
    """Samples that a model generates."""

    generator: Generator

    @property
    def identity(self) -> Mapping[str, str]:
        """The generator's identity."""
        return self.generator.identity

    def collect(
        self,
        problems: Sequence[Problem],
        generation: Generation,
        out: Path,
        processes: Processes,
    ) -> list[Sample]:
        """Generates what is missing, in all processes, and merges what they wrote."""
        generate_samples(
            self.generator,
            problems,
            generation,
            out,
            process=processes.index,
            n_processes=processes.n,
        )
        processes.wait()
        samples = merge_samples(problems, out)
        if processes.is_main:
            write_samples(out, samples)
        return samples


@dataclass(frozen=True, kw_only=True)
class GivenSamples:
    """Samples that exist before the run: those of a file, or the problems' own solutions."""

    name: str
    samples: Sequence[Sample]

    @property
    def identity(self) -> Mapping[str, str]:
        """The source's name and a hash of its samples."""
        digest = hashlib.sha256(_to_json_lines(self.samples).encode()).hexdigest()
        return {"model": self.name, SAMPLES_SHA256: digest}

    def collect(
        self,
        problems: Sequence[Problem],  # noqa: ARG002 - part of the protocol
        generation: Generation,  # noqa: ARG002 - likewise
        out: Path,
        processes: Processes,
    ) -> list[Sample]:
        """Copies the samples into the run's folder."""
        if processes.is_main:
            write_samples(out, self.samples)
        return list(self.samples)


def open_source(options: argparse.Namespace, problem_set: ProblemSet) -> SampleSource:
    """Returns the source that a command line names.

    Raises:
        ConfigError: The samples cannot be read, or a problem has no solution of its own.
        PrerequisiteError: The model or the file cannot be found.
    """
    if options.model is not None:
        return GeneratedSamples(generator=_open_generator(options))
    if options.samples is not None:
        problems = {problem.task_id: problem for problem in problem_set.problems}
        samples = read_sample_file(options.samples, problems)
        return GivenSamples(name=str(options.samples), samples=samples)
    return GivenSamples(name=CANONICAL, samples=_canonical_solutions(problem_set))


def check_sample_counts(source: SampleSource, k: int) -> None:
    """Refuses given samples that are too few for pass@k, before any of them is judged.

    Raises:
        ConfigError: A problem has samples, but fewer than ``k``.
    """
    if isinstance(source, GivenSamples):
        counts = Counter(sample.task_id for sample in source.samples)
        for task_id, n in counts.items():
            if n < k:
                raise ConfigError(
                    f"pass@{k} needs at least {k} samples of each problem, but {task_id} has {n};"
                    " lower --k or add samples"
                )


def read_samples(out: Path) -> list[Sample]:
    """Returns the samples in a run's folder."""
    return list(read_records(out / SAMPLES_FILE, Sample.from_json))


def write_samples(out: Path, samples: Sequence[Sample]) -> None:
    """Writes the samples of a run's folder."""
    write_text_atomically(out / SAMPLES_FILE, _to_json_lines(samples))


def _open_generator(options: argparse.Namespace) -> Generator:
    if options.url is not None:
        from evaluation.generators.api_generator import ApiGenerator  # noqa: PLC0415

        return ApiGenerator(options.url, options.model, key_variable=options.key_variable)
    from evaluation.generators.registry import load_generator  # noqa: PLC0415 - judging needs no torch

    return load_generator(options.model, options.device)


def _canonical_solutions(problem_set: ProblemSet) -> list[Sample]:
    samples = []
    for problem in problem_set.problems:
        if problem.canonical_solution is None:
            raise ConfigError(
                f"the problem {problem.task_id} has no 'canonical_solution', which --canonical"
                " judges; use --model or --samples"
            )
        samples.append(Sample(task_id=problem.task_id, number=0, text=problem.canonical_solution))
    return samples


def _to_json_lines(samples: Sequence[Sample]) -> str:
    return "".join(to_json_line(sample.to_json()) for sample in samples)
