"""Samples to results: each is judged once, in any order, resumable; written out in their order.

Before a problem's samples count, its own canonical solution must pass its test here, under the same
limits. If it does not, the problem is invalid: its samples are neither passed nor failed.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from evaluation.judge.sandbox_pool import JudgeSettings, judge_all
from evaluation.judge.verdict import Job, Outcome, Verdict
from evaluation.problems.problem import Problem
from evaluation.runs.journal import Journal, line_of, read_journal
from training.foundation.atomic_files import write_text_atomically
from training.foundation.errors import ConfigError

RESULTS_FILE = "results.jsonl"
VERDICTS_FILE = "verdicts.jsonl"  # in the order they came, kept to go on from
VALIDITY_FILE = "validity.jsonl"  # of the problems


def job_of(problem: Problem, program: str) -> Job:
    """Returns what the judge needs to know of a program for a problem."""
    return Job(
        task_id=problem.task_id,
        program=program,
        entry_point=problem.entry_point,
        prelude=problem.prelude(),
        test=problem.test,
        is_in_process=problem.is_in_process,
    )


def check_problems(
    problems: Sequence[Problem], out: Path, settings: JudgeSettings
) -> dict[str, str]:
    """Judges the problems' canonical solutions, as far as they have any.

    Returns:
        For each problem whose solution does not pass, how it ended.
    """
    path = out / VALIDITY_FILE
    done = {record["task_id"] for record in read_journal(path)}
    todo = [p for p in problems if p.canonical_solution is not None and p.task_id not in done]
    jobs = [job_of(p, p.program(p.canonical_solution or "")) for p in todo]
    _judge(
        jobs, path, settings, "checking problems", lambda index: {"task_id": todo[index].task_id}
    )
    return invalid_problems(out)


def invalid_problems(out: Path) -> dict[str, str]:
    """Returns what :func:`check_problems` found in a run's folder."""
    return {
        record["task_id"]: f"{record['outcome']}: {record['detail']}"
        for record in read_journal(out / VALIDITY_FILE)
        if not record["passed"]
    }


def grade_samples(
    samples: Path,
    out: Path,
    problems: dict[str, Problem],
    settings: JudgeSettings,
    *,
    invalid: dict[str, str],
) -> None:
    """Judges every sample that has no verdict yet, and writes ``results.jsonl``.

    A line stands there for each sample, in their order. A sample that the sandbox failed on has
    that as its outcome, is not scored, and is judged when the same command is run again.

    Raises:
        ConfigError: A sample is of no known problem.
        SandboxUnavailableError: The sandbox cannot be started.
    """
    path = out / VERDICTS_FILE
    done = {(r["task_id"], r["sample"]) for r in read_journal(path)}
    todo = []
    for sample in read_journal(samples):
        if sample["task_id"] not in problems:
            raise ConfigError(
                f"{samples}: there is no problem {sample['task_id']!r}; correct --problems"
            )
        if sample["task_id"] not in invalid and _key(sample) not in done:
            todo.append(sample)
    jobs = [job_of(problems[s["task_id"]], _program(problems, s)) for s in todo]
    _judge(jobs, path, settings, "judging", lambda index: _named(todo[index]))
    write_results(samples, out, problems, settings.isolation.name, invalid=invalid)


def write_results(
    samples: Path,
    out: Path,
    problems: dict[str, Problem],
    level: str,
    *,
    invalid: dict[str, str],
    is_partial: bool = False,
) -> None:
    """Writes a line for each sample, in their order, from the verdicts that there are.

    A sample without one is a failure of the sandbox; in a partial run it is left out.
    """
    verdicts = {_key(r): r for r in read_journal(out / VERDICTS_FILE)}
    unjudged = {"outcome": Outcome.SANDBOX_FAILURE, "passed": False}
    lines = []
    for sample in read_journal(samples):
        if is_partial and _key(sample) not in verdicts and sample["task_id"] not in invalid:
            continue
        found = verdicts.get(_key(sample), unjudged)
        if sample["task_id"] in invalid:
            found = {"outcome": Outcome.INVALID_PROBLEM, "passed": False}
        mode = "in-process" if problems[sample["task_id"]].is_in_process else "split"
        lines.append(line_of({**_named(sample), **found, "mode": mode, "isolation": level}))
    write_text_atomically(out / RESULTS_FILE, "".join(lines))


def _key(record: dict[str, Any]) -> tuple[str, int]:
    return record["task_id"], record["sample"]


def _named(record: dict[str, Any]) -> dict[str, Any]:
    return {"task_id": record["task_id"], "sample": record["sample"]}


def _program(problems: dict[str, Problem], sample: dict[str, Any]) -> str:
    if "solution" in sample:
        return f"{sample['solution']}\n"
    return problems[sample["task_id"]].program(sample["completion"])


def _judge(
    jobs: Sequence[Job],
    path: Path,
    settings: JudgeSettings,
    what: str,
    name: Callable[[int], dict[str, Any]],
) -> None:
    """Appends a record for each verdict, named by the job's number; a sandbox failure has none."""
    if not jobs:
        return
    with (
        Journal(path) as journal,
        tqdm(total=len(jobs), desc=what, unit="program", file=sys.stderr) as bar,
    ):

        def report(index: int, verdict: Verdict) -> None:
            bar.update()
            if verdict.outcome is not Outcome.SANDBOX_FAILURE:
                journal.append({**name(index), **_record(verdict)})

        judge_all(jobs, settings, report=report)


def _record(verdict: Verdict) -> dict[str, Any]:
    return {
        "outcome": verdict.outcome,
        "passed": verdict.outcome is Outcome.PASSED,
        "detail": verdict.detail,
        "calls": verdict.calls,
        "cpu_s": verdict.cpu_s,
        "wall_s": verdict.wall_s,
        "output": verdict.output,
    }
