"""Judges samples: each once, in any order, resumable; the results are in the samples' order.

A problem counts only if its own canonical solution passes its test here, under the same limits.
Otherwise the problem is invalid, and its samples neither pass nor fail. A sample that the sandbox
failed on is not scored, and is judged again when the same command is run again.
"""

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from evaluation.judge.sandbox_pool import JudgeSettings, judge_all
from evaluation.judge.verdict import Job, Outcome, Verdict
from evaluation.passk.records import (
    IN_PROCESS,
    SPLIT,
    Result,
    Sample,
    SampleKey,
    verdict_from_json,
    verdict_to_json,
)
from evaluation.problems.problem import Problem
from evaluation.runs.journal import Journal, read_journal, to_json_line
from training.foundation.atomic_files import write_text_atomically

RESULTS_FILE = "results.jsonl"
VERDICTS_FILE = "verdicts.jsonl"  # of samples, in the order in which they were judged
VALIDITY_FILE = "validity.jsonl"  # of the problems' own solutions


def make_job(problem: Problem, program: str) -> Job:
    """Returns what the judge needs to know of a program for a problem."""
    return Job(
        task_id=problem.task_id,
        program=program,
        entry_point=problem.entry_point,
        prelude=problem.prelude(),
        test=problem.test,
        is_in_process=problem.is_in_process,
    )


def judge_samples(
    samples: Sequence[Sample],
    problems: Mapping[str, Problem],
    out: Path,
    settings: JudgeSettings,
    *,
    checks_problems: bool,
) -> list[Result]:
    """Judges every sample that has no verdict yet, and writes ``results.jsonl``.

    Args:
        samples: All samples of the run.
        problems: All problems, by their names.
        out: The run's folder.
        settings: How to judge.
        checks_problems: Whether to judge the problems' own solutions first.

    Returns:
        A result for each sample, in the same order.

    Raises:
        SandboxUnavailableError: The sandbox cannot be started.
    """
    if checks_problems:
        sampled = {sample.task_id for sample in samples}
        _check_problems([p for p in problems.values() if p.task_id in sampled], out, settings)
    invalid = _read_invalid(out) if checks_problems else frozenset[str]()
    verdicts = _read_verdicts(out)
    todo = [s for s in samples if s.task_id not in invalid and s.key not in verdicts]
    jobs = [
        (
            {"task_id": s.task_id, "sample": s.number},
            make_job(problems[s.task_id], s.program(problems[s.task_id])),
        )
        for s in todo
    ]
    _judge(jobs, out / VERDICTS_FILE, settings, "judging")
    return _write_results(
        samples,
        problems,
        out,
        settings.isolation.name,
        invalid=invalid,
        verdicts=_read_verdicts(out),
    )


def collect_results(
    samples: Sequence[Sample], problems: Mapping[str, Problem], out: Path, isolation: str
) -> list[Result]:
    """Writes ``results.jsonl`` of an unfinished run: the samples that have been judged so far."""
    invalid, verdicts = _read_invalid(out), _read_verdicts(out)
    judged = [s for s in samples if s.task_id in invalid or s.key in verdicts]
    return _write_results(judged, problems, out, isolation, invalid=invalid, verdicts=verdicts)


def read_results(out: Path) -> list[Result]:
    """Returns the results in a run's folder."""
    return [Result.from_json(record) for record in read_journal(out / RESULTS_FILE)]


def _check_problems(problems: Sequence[Problem], out: Path, settings: JudgeSettings) -> None:
    path = out / VALIDITY_FILE
    done = {record["task_id"] for record in read_journal(path)}
    jobs = [
        ({"task_id": p.task_id}, make_job(p, p.program(p.canonical_solution)))
        for p in problems
        if p.canonical_solution is not None and p.task_id not in done
    ]
    _judge(jobs, path, settings, "checking problems")


def _read_invalid(out: Path) -> frozenset[str]:
    """Returns the problems whose own solution does not pass."""
    records = read_journal(out / VALIDITY_FILE)
    return frozenset(record["task_id"] for record in records if not record["passed"])


def _read_verdicts(out: Path) -> dict[SampleKey, Verdict]:
    return {
        (record["task_id"], record["sample"]): verdict_from_json(record)
        for record in read_journal(out / VERDICTS_FILE)
    }


def _judge(
    jobs: Sequence[tuple[Mapping[str, object], Job]],
    path: Path,
    settings: JudgeSettings,
    description: str,
) -> None:
    """Appends a record for each verdict, except for failures of the sandbox.

    Args:
        jobs: Each with the keys that name it in the journal.
        path: The journal.
        settings: How to judge.
        description: What the progress bar says.
    """
    if not jobs:
        return
    with (
        Journal(path) as journal,
        tqdm(total=len(jobs), desc=description, unit="program", file=sys.stderr) as bar,
    ):

        def report(index: int, verdict: Verdict) -> None:
            bar.update()
            if verdict.outcome is not Outcome.SANDBOX_FAILURE:
                journal.append({**jobs[index][0], **verdict_to_json(verdict)})

        judge_all([job for _, job in jobs], settings, report=report)


def _write_results(
    samples: Sequence[Sample],
    problems: Mapping[str, Problem],
    out: Path,
    isolation: str,
    *,
    invalid: Collection[str],
    verdicts: Mapping[SampleKey, Verdict],
) -> list[Result]:
    results = []
    for sample in samples:
        verdict = None if sample.task_id in invalid else verdicts.get(sample.key)
        outcome = Outcome.SANDBOX_FAILURE if verdict is None else verdict.outcome
        results.append(
            Result(
                task_id=sample.task_id,
                number=sample.number,
                outcome=Outcome.INVALID_PROBLEM if sample.task_id in invalid else outcome,
                verdict=verdict,
                mode=IN_PROCESS if problems[sample.task_id].is_in_process else SPLIT,
                isolation=isolation,
            )
        )
    lines = "".join(to_json_line(result.to_json()) for result in results)
    write_text_atomically(out / RESULTS_FILE, lines)
    return results
