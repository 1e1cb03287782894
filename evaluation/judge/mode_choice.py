"""Chooses for each problem where its test runs, by a first run of the problem's own solution.

Apart from the program (*split*), if the solution passes so and all that it is given and returns can
cross; no program can then see the test or forge a verdict. Otherwise in the program's own process
(*in-process*), if the solution passes there. A solution that passes nowhere shows that the problem
is invalid. So does a test that passes there without a use of the function: it is *vacuous*.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from evaluation.judge.counter_tests.rewriting import make_counter_tests
from evaluation.judge.inside.channel.judge_messages import NEVER_CALLED
from evaluation.judge.sandbox_pool import Report, SandboxPool
from evaluation.judge.verdict import Job, Outcome, Verdict

# The function ends the process when it is called, or asked for anything.
_UNUSED = """\
import os


class _Unused:
    __call__ = __getattribute__ = lambda *_, **__: os._exit(1)


globals()[{name!r}] = _Unused()
"""


@dataclass(frozen=True, kw_only=True)
class ProblemMode:
    """Where a problem's test runs.

    Attributes:
        is_in_process: Whether in the program's process.
        counter_tests: Tests that a program which passes must fail.
        verdict: That of the problem's own solution.
    """

    is_in_process: bool
    counter_tests: tuple[str, ...] = ()
    verdict: Verdict


VACUOUS = ProblemMode(  # apart, it passes no program
    is_in_process=False, verdict=Verdict(outcome=Outcome.FAILED, detail=NEVER_CALLED)
)


def choose_modes(
    solutions: Sequence[Job],
    pool: SandboxPool,
    *,
    report: Callable[[int, ProblemMode], None],
) -> None:
    """Reports the mode of each problem once, in any order.

    Args:
        solutions: A job for each problem: its own solution, without counter-tests. Those that are
            marked as in-process are not tried apart.
        pool: Judges them.
        report: Called with a job's number. Not called if the sandbox failed on anything that the
            mode depends on.

    Raises:
        SandboxUnavailableError: No sandbox can be started.
    """

    def report_split(index: int, verdict: Verdict) -> None:
        if _is_split(verdict):
            report(index, ProblemMode(is_in_process=False, verdict=verdict))

    tried = [index for index, solution in enumerate(solutions) if not solution.is_in_process]
    apart = _judge_some(solutions, pool, tried, report=report_split)
    rest = [
        index
        for index, solution in enumerate(solutions)
        if solution.is_in_process or (index in apart and not _is_split(apart[index]))
    ]
    if not rest:
        return
    together = [replace(solution, is_in_process=True) for solution in solutions]
    beside = _judge_some(together, pool, rest)
    passed = [i for i, verdict in beside.items() if verdict.outcome is Outcome.PASSED]
    for index, verdict in beside.items():
        if index not in passed:  # what was found apart says more
            found = apart.get(index, verdict)
            is_in_process = solutions[index].is_in_process
            report(index, ProblemMode(is_in_process=is_in_process, verdict=found))
    vacuous = find_vacuous_tests(together, pool, passed)
    for index in [index for index, is_vacuous in vacuous.items() if is_vacuous]:
        report(index, VACUOUS)
    passed = [index for index, is_vacuous in vacuous.items() if not is_vacuous]
    for index, tests in _prove_counter_tests(together, pool, passed).items():
        mode = ProblemMode(is_in_process=True, counter_tests=tests, verdict=beside[index])
        report(index, mode)


def find_vacuous_tests(
    jobs: Sequence[Job], pool: SandboxPool, indices: Sequence[int]
) -> dict[int, bool]:
    """Returns of some jobs whether their tests end well without a use of the function.

    Such a test proves nothing: perhaps it only defines functions that nothing calls. In-process it
    passes every program, and apart none. Jobs on which the sandbox failed are left out.

    Raises:
        SandboxUnavailableError: No sandbox can be started.
    """
    unused = [replace(job, program=_UNUSED.format(name=job.entry_point)) for job in jobs]
    found = _judge_some(unused, pool, indices)
    return {
        index: verdict.outcome is Outcome.PASSED or verdict.detail == NEVER_CALLED
        for index, verdict in found.items()
    }


def _is_split(verdict: Verdict) -> bool:
    """Returns whether a solution passes apart from its test, and all values crossed."""
    return verdict.outcome is Outcome.PASSED and not verdict.detail


def _prove_counter_tests(
    solutions: Sequence[Job], pool: SandboxPool, indices: Iterable[int]
) -> dict[int, tuple[str, ...]]:
    """Returns the counter-tests that the problems' own solutions fail, as they must.

    Problems of which the sandbox failed to try one are left out.
    """
    found: dict[int, tuple[str, ...]] = dict.fromkeys(indices, ())
    trials = [
        (index, test)
        for index in found
        for test in make_counter_tests(solutions[index].test, solutions[index].entry_point)
    ]
    jobs = [replace(solutions[index], test=test) for index, test in trials]
    verdicts = _judge_some(jobs, pool, range(len(jobs)))
    for number, (index, test) in enumerate(trials):
        if number not in verdicts:
            found.pop(index, None)
        elif index in found and verdicts[number].outcome is Outcome.FAILED:
            found[index] = (*found[index], test)
    return found


def _judge_some(
    jobs: Sequence[Job], pool: SandboxPool, indices: Sequence[int], *, report: Report | None = None
) -> dict[int, Verdict]:
    """Returns the verdicts on some jobs, without failures of the sandbox, and reports all."""
    verdicts: dict[int, Verdict] = {}

    def keep(number: int, verdict: Verdict) -> None:
        verdicts[indices[number]] = verdict
        if report is not None:
            report(indices[number], verdict)

    pool.judge_all([jobs[index] for index in indices], report=keep)
    return {i: v for i, v in verdicts.items() if v.outcome is not Outcome.SANDBOX_FAILURE}
