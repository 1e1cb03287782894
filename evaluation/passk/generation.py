"""Samples, problem by problem, resumable; over several processes if Accelerate started them.

Of n processes each takes every n-th problem and writes its own file. All of these files count when
the run is resumed, with any number of processes.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from evaluation.generators.generator import Writer
from evaluation.passk.config import Generation
from evaluation.problems.problem import Problem
from evaluation.runs.journal import Journal, line_of, read_journal
from training.foundation.atomic_files import write_text_atomically

SAMPLES_FILE = "samples.jsonl"


def generate_samples(
    writer: Writer,
    problems: Sequence[Problem],
    generation: Generation,
    out: Path,
    *,
    process: int = 0,
    n_processes: int = 1,
) -> None:
    """Appends ``{task_id, sample, completion}`` records for every sample that is not there yet.

    Args:
        writer: Who writes.
        problems: All problems of the run.
        generation: How.
        out: The run's folder.
        process: Which of the processes this is.
        n_processes: How many share the problems.
    """
    done = _numbers_done(out)
    mine = [
        p for p in problems[process::n_processes] if len(done.get(p.task_id, ())) < generation.n
    ]
    path = out / _part(process)
    bar = tqdm(mine, desc="generating", unit="problem", file=sys.stderr, disable=process != 0)
    with Journal(path) as journal, bar:
        for problem in bar:
            have = done.get(problem.task_id, set())
            first = next(n for n in range(generation.n) if n not in have)
            texts = writer.write(problem, generation, first=first)
            for number, completion in enumerate(texts, first):
                if number not in have:
                    journal.append(
                        {"task_id": problem.task_id, "sample": number, "completion": completion}
                    )


def gather_samples(problems: Sequence[Problem], out: Path) -> Path:
    """Brings what all processes wrote into one file, in the problems' order.

    Returns:
        The file.
    """
    order = {problem.task_id: place for place, problem in enumerate(problems)}
    records = [r for path in _parts(out) for r in read_journal(path) if r["task_id"] in order]
    records.sort(key=lambda r: (order[r["task_id"]], r["sample"]))
    samples = out / SAMPLES_FILE
    write_text_atomically(samples, "".join(map(line_of, records)))
    return samples


def _numbers_done(out: Path) -> dict[str, set[int]]:
    done: dict[str, set[int]] = {}
    for path in _parts(out):
        for record in read_journal(path):
            done.setdefault(record["task_id"], set()).add(record["sample"])
    return done


def _part(process: int) -> str:
    return f"written-{process}.jsonl"


def _parts(out: Path) -> list[Path]:
    return sorted(out.glob("written-*.jsonl"))
