"""A program's clocks: what its processes use, and how long it does nothing."""

import os
import time

import pytest

from evaluation.judge.inside.plan import NOTHING, Plan
from evaluation.judge.inside.processes import clocks as clocks_module
from evaluation.judge.inside.processes.clocks import Clocks
from evaluation.judge.inside.processes.process_usage import Usage

PLAN = Plan(
    cpu_s=1.0,
    wall_s=4.0,
    memory_bytes=1,
    disk_bytes=1,
    processes=1,
    processor=0,
    isolation=NOTHING,
)


IDLE = Usage(memory_bytes=0, cpu_s=0.0, is_running=True)


@pytest.fixture
def check(monkeypatch):
    """Advances the time, and checks a usage."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    clocks = Clocks(1 << 22, 1 << 22, PLAN)

    def check(seconds, cpu_s, *, is_running=True):
        now[0] += seconds
        return clocks.find_exceeded_limit(Usage(0, cpu_s, is_running))

    return check


def test_the_limit_is_on_all_processes_together(check):
    assert check(0.5, 0.5) is None
    assert check(0.6, 1.0) == "timeout_cpu"


def test_waiting_is_idling_but_running_is_not(check):
    assert [check(1.0, 0.0) for _ in range(10)] == [None] * 10
    endings = [check(1.0, 0.0, is_running=False) for _ in range(4)]
    assert endings == [None, None, None, "timeout_wall"]


def test_nothing_runs_forever(check):
    assert [check(1.0, 0.0) for _ in range(20)][-1] == "timeout_wall"


def test_an_examiner_that_computes_too_long_is_stopped(monkeypatch):
    """If it fails, what a program returns keeps the examiner busy without end."""
    monkeypatch.setattr(clocks_module, "MAX_WALL_FACTOR", 0.02)
    clocks = Clocks(1 << 22, os.getpid(), PLAN._replace(wall_s=1e9))
    assert clocks.find_exceeded_limit(IDLE) is None
    start = time.process_time()
    while time.process_time() < start + 0.05:
        pass
    assert clocks.find_exceeded_limit(IDLE) == "timeout_cpu"


def test_memory_that_is_short_is_looked_at_more_often():
    """If it fails, what grows between two looks exceeds the limit by far without a group."""
    plan = PLAN._replace(memory_bytes=100)
    for is_bounded, used, is_soon in ((False, 50, True), (False, 5, False), (True, 50, False)):
        clocks = Clocks(1 << 22, 1 << 22, plan._replace(is_memory_bounded=is_bounded))
        clocks.find_exceeded_limit(Usage(used, 0.0, is_running=True))
        assert (clocks.interval_s < clocks_module.CHECK_INTERVAL_S) == is_soon
