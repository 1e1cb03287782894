"""Whose fault a sandbox's failure is: the program's, if another one passes in its place."""

import socket

import pytest

from evaluation.judge.inside.channel import wire
from evaluation.judge.sandbox import Sandbox as RealSandbox
from evaluation.judge.sandbox import SandboxFailure
from evaluation.judge.sandbox_pool import judge_alone
from evaluation.judge.verdict import Job, Outcome, Verdict

JOB = Job(task_id="t", program="x", entry_point="f", prelude="", test="")


class Sandbox:
    """Fails, or gives the verdict, depending on what it is to do."""

    def __init__(self, act):
        self.act = act
        self.is_closed = False

    def submit(self, job):
        self.job = job

    def receive_verdict(self):
        if self.act is None:
            raise SandboxFailure
        return Verdict(outcome=self.act)

    def close(self):
        self.is_closed = True


@pytest.mark.parametrize(
    ("acts", "outcome"),
    [
        ([Outcome.FAILED], Outcome.FAILED),
        ([Outcome.PASSED], Outcome.PASSED),
        ([None, Outcome.PASSED], Outcome.BROKE_SANDBOX),
        ([None, None], Outcome.SANDBOX_FAILURE),
        ([None, Outcome.TIMEOUT_WALL], Outcome.SANDBOX_FAILURE),
    ],
)
def test_a_program_that_breaks_fresh_sandboxes_is_scored(acts, outcome):
    """If it fails, a program that cannot pass makes itself uncounted, or bad luck is counted."""
    sandboxes = [Sandbox(act) for act in acts]
    pending = iter(sandboxes)
    assert judge_alone(JOB, lambda: next(pending)).outcome is outcome
    assert next(pending, None) is None
    assert all(sandbox.is_closed for sandbox in sandboxes)
    assert sandboxes[0].job is JOB
    assert all(sandbox.job is not JOB for sandbox in sandboxes[1:])


def test_a_program_too_large_to_be_sent_is_a_failure_of_its_sandbox(monkeypatch):
    """If it fails, one long sample ends the whole run in a traceback."""
    monkeypatch.setattr(wire, "MAX_FRAME_BYTES", 10)
    sandbox = object.__new__(RealSandbox)
    sandbox._socket, theirs = socket.socketpair()
    with sandbox._socket, theirs, pytest.raises(SandboxFailure):
        sandbox.submit(JOB)
