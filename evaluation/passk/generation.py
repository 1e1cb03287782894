"""Generates a run's samples, problem by problem, in one process or several; resumable.

Of n processes each takes every n-th problem and writes a file of its own. When a run is resumed,
with any number of processes, the files of all earlier processes count.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from evaluation.generators.generator import Generation, Generator
from evaluation.generators.unfinished_code import drop_unfinished
from evaluation.passk.records import Sample
from evaluation.problems.problem import Problem
from evaluation.runs.journal import Journal, read_records


def generate_samples(
    generator: Generator,
    problems: Sequence[Problem],
    generation: Generation,
    out: Path,
    *,
    process: int = 0,
    n_processes: int = 1,
) -> None:
    """Generates the samples of this process that are missing, and appends them to its file.

    Args:
        generator: What generates.
        problems: All problems of the run.
        generation: How to generate.
        out: The run's folder.
        process: The index of this process.
        n_processes: How many processes share the problems.
    """
    done: dict[str, set[int]] = {}
    for sample in _read_parts(out):
        done.setdefault(sample.task_id, set()).add(sample.number)
    todo = [
        p for p in problems[process::n_processes] if len(done.get(p.task_id, ())) < generation.n
    ]
    bar = tqdm(todo, desc="generating", unit="problem", file=sys.stderr, disable=process != 0)
    with Journal(out / f"written-{process}.jsonl") as journal, bar:
        for problem in bar:
            existing = done.get(problem.task_id, set())
            first = next(n for n in range(generation.n) if n not in existing)
            texts = generator.generate(problem, generation, first=first)
            for number, text in enumerate(texts, first):
                if number not in existing:
                    kept = drop_unfinished(problem, text)
                    sample = Sample(task_id=problem.task_id, number=number, text=kept)
                    journal.append(sample.to_json())


def merge_samples(problems: Sequence[Problem], out: Path) -> list[Sample]:
    """Returns what all processes have generated so far, in the order of the problems."""
    order = {problem.task_id: index for index, problem in enumerate(problems)}
    samples = [sample for sample in _read_parts(out) if sample.task_id in order]
    return sorted(samples, key=lambda s: (order[s.task_id], s.number))


def _read_parts(out: Path) -> list[Sample]:
    return [
        sample
        for path in sorted(out.glob("written-*.jsonl"))
        for sample in read_records(path, Sample.from_json)
    ]
