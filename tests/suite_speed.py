"""Keeps ``make test`` and ``make unit`` quick: the order of the tests, and a budget for each."""

import os

import pytest

from training.foundation.parallel.cores import count_cores

MAX_PROCESSES = 12
UNIT_CPU_S = 8.0  # the slowest takes a third; a slow machine may take twice as long
NO_UNIT_MARKS = {"integration", "e2e", "gpu", "network", "cluster", "serving", "first_hour"}


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's
def pytest_xdist_auto_num_workers(config):
    """Returns how many processes ``--numprocesses auto`` starts.

    Three on two cores: integration tests also wait, for disks, other processes and pauses. Unit
    tests only compute, and one process more would only start later.
    """
    n_cores = count_cores()
    only_units = "not integration" in config.option.markexpr
    return min(max(2, n_cores if only_units else n_cores * 3 // 2), MAX_PROCESSES)


def pytest_collection_modifyitems(items):
    """Lets the processes begin apart: each gets a part in order, and steals from another's end.

    The tests of the tiny artifact come first, those of the tiny run begin the second part, so that
    no process waits for what another builds. Long tests come before short ones: the last to end
    is a short one.
    """
    of_artifact = [item for item in items if "tiny_artifact" in item.fixturenames]
    rest = [item for item in items if "tiny_artifact" not in item.fixturenames]
    of_run = [item for item in rest if "tiny_config" in item.fixturenames]
    others = [item for item in rest if "tiny_config" not in item.fixturenames]
    for group in (of_artifact, of_run, others):
        group.sort(key=lambda item: "integration" not in item.keywords)
    n_parts = max(2, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    rest_of_part = max(0, len(items) // n_parts - len(of_artifact))
    items[:] = [*of_artifact, *others[:rest_of_part], *of_run, *others[rest_of_part:]]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fails a unit test that computes for too long: then ``make unit`` is no longer quick.

    Processor time, of finished child processes too, does not depend on what else runs here.
    """
    began_s = read_cpu_s()
    result = yield
    is_long_by_request = "PARROTLET_FUZZ_SECONDS" in os.environ
    if not is_long_by_request and not NO_UNIT_MARKS.intersection(item.keywords):
        check_cpu_s(read_cpu_s() - began_s)
    return result


def read_cpu_s():
    """Returns the processor time of this process and of the children that it waited for."""
    return sum(os.times()[:4])


def check_cpu_s(spent_s):
    if spent_s > UNIT_CPU_S:
        pytest.fail(
            f"a unit test may take {UNIT_CPU_S} s of processor time, and this one took"
            f" {spent_s:.1f} s: make it smaller, or mark it as integration",
            pytrace=False,
        )
