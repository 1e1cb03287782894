"""Judges jobs, and confirms each pass of a program whose test runs in its own process.

Such a program could report a pass that it has not earned. It is therefore run again, in fresh
processes: it must fail the problem's counter-tests and pass the test every time. A program that
cannot tell the tests apart, and guesses, gets through less than once in 60 times.
"""

from collections.abc import Sequence
from dataclasses import replace

from evaluation.judge.sandbox_pool import Report, SandboxPool
from evaluation.judge.verdict import Job, Outcome, Verdict

N_COUNTER_TESTS = 3  # and one fewer runs of the test between them
_FORGED = "it also passes a test with wrong expectations"


def judge_confirmed(jobs: Sequence[Job], pool: SandboxPool, *, report: Report) -> None:
    """Judges every job and reports each verdict once, as ``SandboxPool.judge_all`` does.

    Args:
        jobs: Numbered from 0 in the reports.
        pool: Judges them.
        report: Called with a job's number and verdict, by one thread at a time.

    Raises:
        SandboxUnavailableError: No sandbox can be started.
    """
    passed: dict[int, Verdict] = {}

    def report_or_keep(index: int, verdict: Verdict) -> None:
        if jobs[index].counter_tests and verdict.outcome is Outcome.PASSED:
            passed[index] = verdict
        else:
            report(index, verdict)

    pool.judge_all(jobs, report=report_or_keep)
    trials = [(index, again) for index in passed for again in _list_confirmations(jobs[index])]
    found: dict[int, Verdict] = {}
    if trials:
        pool.judge_all([again for _, again in trials], report=found.__setitem__)
    for number, (index, again) in enumerate(trials):
        passed[index] = _combine(passed[index], again.test == jobs[index].test, found[number])
    for index, verdict in passed.items():
        report(index, verdict)


def _list_confirmations(job: Job) -> list[Job]:
    """Returns runs that must fail and runs that must pass, in turns."""
    again = []
    for number in range(N_COUNTER_TESTS):
        counter_test = job.counter_tests[number % len(job.counter_tests)]
        again += [replace(job, test=counter_test), job]
    return again[:-1]


def _combine(before: Verdict, is_test: bool, verdict: Verdict) -> Verdict:
    """Returns what is known of a program after one more run."""
    if before.outcome is not Outcome.PASSED:
        return before
    if verdict.outcome is Outcome.SANDBOX_FAILURE:
        return verdict
    if is_test:
        return before if verdict.outcome is Outcome.PASSED else verdict
    if verdict.outcome is Outcome.PASSED:
        return replace(verdict, outcome=Outcome.PROTOCOL_VIOLATION, detail=_FORGED)
    return before
