"""A program's clocks: what its processes use, also those that end without being waited for."""

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

    def check(seconds, cpu_s, *, is_running=True, n_processes=1, last_process=1):
        now[0] += seconds
        usage = Usage(0, cpu_s, is_running, n_processes, last_process)
        return clocks.find_exceeded_limit(usage)

    return check


def test_the_limit_is_on_all_processes_together(check):
    assert check(0.5, 0.5) is None
    assert check(0.6, 1.0) == "timeout_cpu"


def test_what_ended_processes_used_is_not_forgotten(check):
    """If it fails, a child that nobody waits for computes for free."""
    assert check(0.5, 0.5, n_processes=2, last_process=2) is None
    assert check(0.1, 0.1) is None  # it has ended, and 0.4 s with it
    assert check(0.5, 0.5, n_processes=2, last_process=3) is None
    assert check(0.1, 0.2) is None  # 0.9 s in all
    assert check(0.2, 0.4) == "timeout_cpu"


def test_processes_that_come_and_go_between_checks_count(check):
    """If it fails, many children that each compute for a moment do so for free."""
    endings = [check(0.05, 0.0, n_processes=2, last_process=10 * n) for n in range(1, 40)]
    assert endings[:15] == [None] * 15
    assert "timeout_cpu" in endings


def test_a_number_counts_once(check):
    """If it fails, one late child is taken for many that came and went."""
    assert check(0.5, 0.1, n_processes=2, last_process=9) is None
    assert check(0.5, 0.2, is_running=False) is None
    endings = [check(0.5, 0.3, n_processes=2, last_process=10) for _ in range(4)]
    assert endings == [None] * 4


def test_children_that_are_waited_for_count_once(check):
    """If it fails, an honest program that starts others is stopped too early."""
    endings = [check(0.05, 0.02 * n, n_processes=2, last_process=n) for n in range(1, 45)]
    assert endings == [None] * 44


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
