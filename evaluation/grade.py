"""Samples to results: each is judged once, in any order, resumable."""

import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from evaluation.journal import Journal, read_journal
from evaluation.judge.host import Command, judge_all
from evaluation.judge.verdict import Job, Limits, Outcome, Verdict
from evaluation.problems import Problem
from training.artifact.errors import ConfigError


def job_of(problem: Problem, completion: str) -> Job:
    """Returns what the judge needs to know of a sample."""
    return Job(
        task_id=problem.task_id,
        program=problem.prompt + completion + "\n",
        entry_point=problem.entry_point,
        prelude=problem.prompt + "\n    pass\n",
        test=problem.test,
    )


def grade_samples(
    samples: Path,
    results: Path,
    problems: dict[str, Problem],
    *,
    limits: Limits,
    workers: int,
    command: Command,
) -> None:
    """Appends a result for every sample that has none; a sandbox failure is left for next time.

    Raises:
        ConfigError: A sample is of no known problem.
        SandboxUnavailableError: The sandbox cannot be started.
    """
    done = {(r["task_id"], r["sample"]) for r in read_journal(results)}
    todo = [s for s in read_journal(samples) if (s["task_id"], s["sample"]) not in done]
    for sample in todo:
        if sample["task_id"] not in problems:
            raise ConfigError(f"{samples}: no problem is called {sample['task_id']!r}")
    jobs = [job_of(problems[s["task_id"]], s["completion"]) for s in todo]
    with Journal(results) as journal, tqdm(total=len(jobs), desc="judging", file=sys.stderr) as bar:

        def report(index: int, verdict: Verdict) -> None:
            bar.update()
            if verdict.outcome is not Outcome.SANDBOX_FAILURE:
                journal.append(_record(todo[index], verdict))

        judge_all(jobs, limits=limits, workers=workers, report=report, command=command)


def _record(sample: dict[str, Any], verdict: Verdict) -> dict[str, Any]:
    return {
        "task_id": sample["task_id"],
        "sample": sample["sample"],
        "outcome": verdict.outcome,
        "passed": verdict.outcome is Outcome.PASSED,
        "detail": verdict.detail,
        "calls": verdict.calls,
        "cpu_s": verdict.cpu_s,
        "wall_s": verdict.wall_s,
    }
