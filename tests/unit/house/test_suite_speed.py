"""The suites stay quick: a slow unit test fails, and two processes begin apart."""

from types import SimpleNamespace

import pytest
import suite_speed


@pytest.mark.parametrize(
    ("marks", "spent_s", "fails"),
    [
        (set(), suite_speed.UNIT_CPU_S + 1, True),
        (set(), suite_speed.UNIT_CPU_S - 1, False),
        ({"parametrize"}, suite_speed.UNIT_CPU_S + 1, True),
        ({"integration"}, suite_speed.UNIT_CPU_S + 1, False),
    ],
)
def test_a_unit_test_that_computes_for_too_long_fails(monkeypatch, marks, spent_s, fails):
    """If it fails, ``make unit`` becomes slow again, test by test."""
    times = iter([3.0, 3.0 + spent_s])
    with monkeypatch.context() as patch:  # before this test's own time is taken
        patch.delenv("PARROTLET_FUZZ_SECONDS", raising=False)
        patch.setattr(suite_speed, "read_cpu_s", lambda: next(times))
        call = suite_speed.pytest_runtest_call(SimpleNamespace(keywords=marks))
        next(call)
        if fails:
            with pytest.raises(pytest.fail.Exception, match="make it smaller"):
                call.send("what the test returned")
        else:
            with pytest.raises(StopIteration) as ended:
                call.send("what the test returned")
            assert ended.value.value == "what the test returned"


@pytest.mark.parametrize("n_processes", [1, 2, 3])
def test_the_parts_begin_with_different_fixtures(monkeypatch, n_processes):
    """If it fails, all processes wait for the same fixture."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", str(n_processes))
    names = {"a": {"tiny_artifact"}, "r": {"tiny_config"}, "b": {"tiny_artifact", "tiny_config"}}
    items = [
        SimpleNamespace(name=f"{kind}{n}", fixturenames=names.get(kind, ()), keywords=marks)
        for n in range(6)
        for kind in "oporquvarstb"
        for marks in [{"integration"} if n == 3 else {}]
    ]
    before = sorted(item.name for item in items)
    suite_speed.pytest_collection_modifyitems(items)
    assert sorted(item.name for item in items) == before
    assert items[0].name in {"a3", "b3"}
    assert items[len(items) // max(2, n_processes)].name == "r3"


@pytest.mark.parametrize(
    ("n_cores", "marks", "n_processes"),
    [
        (2, "not integration and not e2e", 2),
        (2, "not e2e", 3),
        (4, "not e2e", 6),
        (1, "not e2e", 2),
        (64, "not e2e", suite_speed.MAX_PROCESSES),
    ],
)
def test_processes_that_wait_leave_no_core_idle(monkeypatch, n_cores, marks, n_processes):
    """If it fails, ``make test`` takes longer than this machine needs."""
    monkeypatch.setattr(suite_speed, "count_cores", lambda: n_cores)
    config = SimpleNamespace(option=SimpleNamespace(markexpr=marks))
    assert suite_speed.pytest_xdist_auto_num_workers(config) == n_processes
