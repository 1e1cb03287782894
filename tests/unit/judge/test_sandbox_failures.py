"""What the sandbox failed on is not scored and not kept; the same command judges it again."""

import pytest

from evaluation.judge.levels.ranking import UNCONFINED
from evaluation.judge.sandbox_pool import JudgeSettings
from evaluation.judge.verdict import Limits, Outcome, Verdict
from evaluation.passk import judging
from evaluation.passk.records import Sample
from evaluation.problems.formats import parse_problem

SETTINGS = JudgeSettings(limits=Limits(), workers=1, isolation=UNCONFINED)
BODY = "    return Box(x)\n"
RECORD = {
    "task_id": "t/1",
    "entry_point": "make",
    "prompt": "class Box:\n    def __init__(self, x):\n        self.x = x\n\ndef make(x):\n",
    "canonical_solution": BODY,
    "test": "def check(candidate):\n    assert candidate(3).x == 3\n",
}
SPLIT, TOGETHER, UNUSED, COUNTER, SAMPLE = range(
    5
)  # phases of a run, in the order in which they start


class Pool:
    """Judges as a pool does a problem whose solution passes with its test in one process only."""

    failing_phase = None

    def __init__(self, _settings):
        self.n_phases = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def judge_all(self, jobs, *, report):
        if not jobs:
            return
        phase, self.n_phases = self.n_phases, self.n_phases + 1
        for index, job in enumerate(jobs):
            is_solved = BODY in job.program
            is_passed = is_solved and job.is_in_process and job.test == RECORD["test"]
            outcome = Outcome.PASSED if is_passed else Outcome.FAILED
            has_failed = phase == self.failing_phase and index == 0
            report(index, Verdict(outcome=Outcome.SANDBOX_FAILURE if has_failed else outcome))


@pytest.mark.parametrize("failing_phase", [SPLIT, TOGETHER, UNUSED, COUNTER, SAMPLE])
def test_a_failure_at_any_phase_is_made_up_for(failing_phase, monkeypatch, tmp_path):
    """If it fails, right samples are scored as wrong for good, or forged ones as right."""
    problem = parse_problem(RECORD, "here")
    samples = [Sample(task_id="t/1", number=0, text=BODY)]
    monkeypatch.setattr(judging, "SandboxPool", Pool)
    found = []
    for phase in (failing_phase, None):
        monkeypatch.setattr(Pool, "failing_phase", phase)
        found += judging.judge_samples(
            samples, {"t/1": problem}, tmp_path, SETTINGS, checks_problems=True
        )
    assert [result.outcome for result in found] == [Outcome.SANDBOX_FAILURE, Outcome.PASSED]
    assert found[1].mode == "in-process"
    (mode,) = judging._read_modes({"t/1": problem}, tmp_path).values()
    assert len(mode.counter_tests) >= 2
