"""Keeps ``make test`` and ``make unit`` quick: the order of the tests, and a budget for each."""

import os

import pytest

UNIT_CPU_S = 8.0  # the slowest takes a third; a slow machine may take twice as long
NO_UNIT_MARKS = {"integration", "e2e", "gpu", "network", "cluster", "first_hour"}


def pytest_collection_modifyitems(items):
    """Lets two processes begin apart: each gets one half, and steals from the other's end.

    The tests of the tiny artifact come first, those of the tiny run begin the second half, so that
    neither process waits for what the other builds. Long tests come before short ones: the last
    to end is a short one.
    """
    of_artifact = [item for item in items if "tiny_artifact" in item.fixturenames]
    rest = [item for item in items if "tiny_artifact" not in item.fixturenames]
    of_run = [item for item in rest if "tiny_config" in item.fixturenames]
    others = [item for item in rest if "tiny_config" not in item.fixturenames]
    for group in (of_artifact, of_run, others):
        group.sort(key=lambda item: "integration" not in item.keywords)
    middle = max(0, len(items) // 2 - len(of_artifact))
    items[:] = [*of_artifact, *others[:middle], *of_run, *others[middle:]]


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
