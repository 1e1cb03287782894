"""Judges samples: each once, in any order, resumable; the results are in the samples' order.

A first run of each problem's own solution, under the same limits, decides where the problem's test
runs (``evaluation.judge.mode_choice``), and whether the problem counts: if its solution does not
pass, it is invalid, and its samples neither pass nor fail. When the same command is run again, the
solution is tried again, since what it needs may be there by then. A problem without a solution is
judged as its text suggests; it is invalid if its test never uses the function. A sample that the
sandbox failed on is not scored, and neither are those of a problem on whose solution it failed;
they are judged when the same command is run again.
"""

import contextlib
import functools
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tqdm import tqdm

from evaluation.judge.confirmation import judge_confirmed
from evaluation.judge.mode_choice import (
    VACUOUS,
    ProblemMode,
    choose_modes,
    find_vacuous_tests,
)
from evaluation.judge.sandbox_pool import JudgeSettings, SandboxPool
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
from evaluation.runs.journal import Journal, read_records, to_json_line
from evaluation.runs.record_fields import get_field, get_optional_field, get_texts
from training.foundation.atomic_files import write_text_atomically

RESULTS_FILE = "results.jsonl"
VERDICTS_FILE = "verdicts.jsonl"  # of samples, in the order in which they were judged
VALIDITY_FILE = "validity.jsonl"  # of the problems' own solutions


def make_job(problem: Problem, program: str, mode: ProblemMode | None = None) -> Job:
    """Returns what the judge needs to know of a program for a problem.

    Args:
        problem: The problem.
        program: The program.
        mode: Where the test runs; None as the problem says.
    """
    return Job(
        task_id=problem.task_id,
        program=program,
        entry_point=problem.function_name,
        prelude=_get_prelude(problem),
        test=problem.test,
        is_in_process=problem.is_in_process if mode is None else mode.is_in_process,
        counter_tests=() if mode is None else mode.counter_tests,
    )


@functools.lru_cache(maxsize=4096)
def _get_prelude(problem: Problem) -> str:
    return problem.prelude()  # parses the prompt, and a problem has many samples


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
        checks_problems: Whether a problem whose own solution fails is invalid. Otherwise the
            samples are these solutions, and those that failed are judged again.

    Returns:
        A result for each sample, in the same order.

    Raises:
        SandboxUnavailableError: The sandbox cannot be started.
    """
    with SandboxPool(settings) as pool:
        sampled = {sample.task_id for sample in samples}
        modes = _choose_modes([p for p in problems.values() if p.task_id in sampled], out, pool)
        invalid = _list_invalid(modes) if checks_problems else frozenset[str]()
        unknown = {p.task_id for p in problems.values() if _has_solution(p)} - modes.keys()
        left_out = invalid | unknown
        todo = _list_unjudged(samples, out, retries_failed=not checks_problems)
        _judge_some([s for s in todo if s.task_id not in left_out], problems, out, pool, modes)
    return _write_results(
        samples,
        problems,
        out,
        settings.isolation.name,
        modes=modes,
        invalid=invalid,
        verdicts=_read_verdicts(out),
    )


def _list_unjudged(samples: Sequence[Sample], out: Path, *, retries_failed: bool) -> list[Sample]:
    """Returns the samples that have no verdict yet, and those that failed, if these are retried."""
    done = {
        key
        for key, verdict in _read_verdicts(out).items()
        if verdict.outcome is Outcome.PASSED or not retries_failed
    }
    return [sample for sample in samples if sample.key not in done]


def _judge_some(
    samples: Sequence[Sample],
    problems: Mapping[str, Problem],
    out: Path,
    pool: SandboxPool,
    modes: Mapping[str, ProblemMode],
) -> None:
    """Judges samples and journals the verdicts."""
    jobs = [
        make_job(problems[s.task_id], s.program(problems[s.task_id]), modes.get(s.task_id))
        for s in samples
    ]
    with _Progress(out / VERDICTS_FILE, len(jobs), "judging") as progress:

        def report(index: int, verdict: Verdict) -> None:
            if verdict.outcome is not Outcome.SANDBOX_FAILURE:
                key = {"task_id": samples[index].task_id, "sample": samples[index].number}
                progress.append({**key, **verdict_to_json(verdict)})

        judge_confirmed(jobs, pool, report=report)


def collect_results(
    samples: Sequence[Sample],
    problems: Mapping[str, Problem],
    out: Path,
    isolation: str,
    *,
    checks_problems: bool,
) -> list[Result]:
    """Writes ``results.jsonl`` of an unfinished run: the samples that have been judged so far.

    Args:
        samples: All samples of the run so far.
        problems: All problems, by their names.
        out: The run's folder.
        isolation: The isolation level of the run.
        checks_problems: As for :func:`judge_samples`.
    """
    modes, verdicts = _read_modes(problems, out), _read_verdicts(out)
    invalid = _list_invalid(modes) if checks_problems else frozenset[str]()
    judged = [s for s in samples if s.task_id in invalid or s.key in verdicts]
    return _write_results(
        judged, problems, out, isolation, modes=modes, invalid=invalid, verdicts=verdicts
    )


def read_results(out: Path) -> list[Result]:
    """Returns the results in a run's folder."""
    return list(read_records(out / RESULTS_FILE, Result.from_json))


def _choose_modes(
    problems: Sequence[Problem], out: Path, pool: SandboxPool
) -> dict[str, ProblemMode]:
    """Returns the mode of each problem that has a solution, chosen once its solution passes.

    And that of problems which are invalid without one.
    """
    known = _read_modes({p.task_id: p for p in problems}, out)
    passed = known.keys() - _list_invalid(known)
    todo = [p for p in problems if _has_solution(p) and p.task_id not in passed]
    jobs = [make_job(p, p.program(p.canonical_solution or "")) for p in todo]
    vacuous = _list_vacuous([p for p in problems if p.task_id not in known], pool)
    n_all = len(todo) + len(vacuous)
    with _Progress(out / VALIDITY_FILE, n_all, "checking problems") as progress:

        def report(problem: Problem, mode: ProblemMode) -> None:
            known[problem.task_id] = mode
            progress.append(
                {
                    "task_id": problem.task_id,
                    "mode": IN_PROCESS if mode.is_in_process else SPLIT,
                    "counter_tests": mode.counter_tests,
                    **verdict_to_json(mode.verdict),
                }
            )

        for problem in vacuous:
            report(problem, VACUOUS)
        choose_modes(jobs, pool, report=lambda index, mode: report(todo[index], mode))
    return known


def _list_vacuous(problems: Sequence[Problem], pool: SandboxPool) -> list[Problem]:
    """Returns the problems without a solution whose test would tell no program from another."""
    unsolved = [p for p in problems if not _has_solution(p)]
    jobs = [make_job(problem, program="") for problem in unsolved]
    found = find_vacuous_tests(jobs, pool, range(len(jobs)))
    return [unsolved[index] for index, is_vacuous in found.items() if is_vacuous]


def _has_solution(problem: Problem) -> bool:
    return problem.canonical_solution is not None


def _read_modes(problems: Mapping[str, Problem], out: Path) -> dict[str, ProblemMode]:
    """Returns the modes that have been chosen; earlier versions recorded only a verdict."""

    def parse(record: Mapping[str, Any]) -> tuple[str, ProblemMode] | None:
        name = get_field(record, "task_id", str)
        if name not in problems:
            return None
        mode = get_optional_field(record, "mode", str)
        return name, ProblemMode(
            is_in_process=problems[name].is_in_process if mode is None else mode == IN_PROCESS,
            counter_tests=get_texts(record, "counter_tests"),
            verdict=verdict_from_json(record),
        )

    found = read_records(out / VALIDITY_FILE, parse)
    return dict(pair for pair in found if pair is not None)


def _list_invalid(modes: Mapping[str, ProblemMode]) -> frozenset[str]:
    """Returns the problems whose own solution does not pass, or whose test proves nothing."""
    failed = (name for name, mode in modes.items() if mode.verdict.outcome is not Outcome.PASSED)
    return frozenset(failed)


def _read_verdicts(out: Path) -> dict[SampleKey, Verdict]:
    def parse(record: Mapping[str, Any]) -> tuple[SampleKey, Verdict]:
        key = get_field(record, "task_id", str), get_field(record, "sample", int)
        return key, verdict_from_json(record)

    return dict(read_records(out / VERDICTS_FILE, parse))


class _Progress:
    """A journal, and a bar that advances with it; neither if there is nothing to do."""

    def __init__(self, path: Path, total: int, description: str) -> None:
        self._resources = contextlib.ExitStack()
        self._journal: Journal | None = None
        if total:
            bar = tqdm(total=total, desc=description, unit="program", file=sys.stderr)
            self._bar = self._resources.enter_context(bar)
            self._journal = self._resources.enter_context(Journal(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._resources.close()

    def append(self, record: Mapping[str, object]) -> None:
        """Writes a record."""
        assert self._journal is not None
        self._bar.update()
        self._journal.append(record)


def _write_results(
    samples: Sequence[Sample],
    problems: Mapping[str, Problem],
    out: Path,
    isolation: str,
    *,
    modes: Mapping[str, ProblemMode],
    invalid: Collection[str],
    verdicts: Mapping[SampleKey, Verdict],
) -> list[Result]:
    results = []
    for sample in samples:
        mode = modes.get(sample.task_id, problems[sample.task_id])
        verdict = None if sample.task_id in invalid else verdicts.get(sample.key)
        outcome = Outcome.SANDBOX_FAILURE if verdict is None else verdict.outcome
        results.append(
            Result(
                task_id=sample.task_id,
                number=sample.number,
                outcome=Outcome.INVALID_PROBLEM if sample.task_id in invalid else outcome,
                verdict=verdict,
                mode=IN_PROCESS if mode.is_in_process else SPLIT,
                isolation=isolation,
            )
        )
    lines = "".join(to_json_line(result.to_json()) for result in results)
    write_text_atomically(out / RESULTS_FILE, lines)
    return results
