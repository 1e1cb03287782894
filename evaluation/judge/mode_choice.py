"""Chooses for each problem where its test runs, by a first run of the problem's own solution.

Apart from the program (*split*), if the solution passes so and all that it returns can leave its
process; no program can then see the test or forge a verdict. Otherwise in the program's own process
(*in-process*), if the solution passes there. A solution that passes nowhere shows that the problem
is invalid.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from evaluation.judge.counter_tests import make_counter_tests
from evaluation.judge.sandbox_pool import JudgeSettings, judge_all
from evaluation.judge.verdict import Job, Outcome, Verdict


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


def choose_modes(
    solutions: Sequence[Job],
    settings: JudgeSettings,
    *,
    report: Callable[[int, ProblemMode], None],
) -> None:
    """Reports the mode of each problem once, in any order.

    Args:
        solutions: A job for each problem: its own solution, without counter-tests. Those that are
            marked as in-process are not tried apart.
        settings: How to judge.
        report: Called with a job's number. Not called if the sandbox failed.

    Raises:
        SandboxUnavailableError: No sandbox can be started.
    """
    apart = _judge_some(solutions, settings, [i for i, s in enumerate(solutions) if _is_apart(s)])
    kept = {i: v for i, v in apart.items() if v.outcome is Outcome.PASSED and not v.detail}
    for index, verdict in kept.items():
        report(index, ProblemMode(is_in_process=False, verdict=verdict))
    rest = [i for i, s in enumerate(solutions) if i in apart.keys() - kept or not _is_apart(s)]
    if not rest:
        return
    together = [replace(solution, is_in_process=True) for solution in solutions]
    beside = _judge_some(together, settings, rest)
    passed = [i for i, verdict in beside.items() if verdict.outcome is Outcome.PASSED]
    counter_tests = _prove_counter_tests(together, settings, passed)
    for index, verdict in beside.items():
        if index in passed:
            mode = ProblemMode(
                is_in_process=True, counter_tests=counter_tests[index], verdict=verdict
            )
        else:  # what was found apart says more
            mode = ProblemMode(
                is_in_process=solutions[index].is_in_process, verdict=apart.get(index, verdict)
            )
        report(index, mode)


def _is_apart(solution: Job) -> bool:
    return not solution.is_in_process


def _prove_counter_tests(
    solutions: Sequence[Job], settings: JudgeSettings, indices: Iterable[int]
) -> dict[int, tuple[str, ...]]:
    """Returns the counter-tests that the problems' own solutions fail, as they must."""
    found: dict[int, tuple[str, ...]] = dict.fromkeys(indices, ())
    trials = [
        (index, test)
        for index in found
        for test in make_counter_tests(solutions[index].test, solutions[index].entry_point)
    ]
    jobs = [replace(solutions[index], test=test) for index, test in trials]
    verdicts = _judge_some(jobs, settings, range(len(jobs)))
    for number, (index, test) in enumerate(trials):
        if number in verdicts and verdicts[number].outcome is Outcome.FAILED:
            found[index] = (*found[index], test)
    return found


def _judge_some(
    jobs: Sequence[Job], settings: JudgeSettings, indices: Sequence[int]
) -> dict[int, Verdict]:
    """Returns the verdicts on some jobs, without failures of the sandbox."""
    verdicts: dict[int, Verdict] = {}
    if indices:
        chosen = [jobs[index] for index in indices]
        judge_all(chosen, settings, report=lambda i, v: verdicts.__setitem__(indices[i], v))
    return {i: v for i, v in verdicts.items() if v.outcome is not Outcome.SANDBOX_FAILURE}
