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


def test_the_halves_begin_with_different_fixtures():
    """If it fails, both processes wait for the same fixture."""
    names = {"a": {"tiny_artifact"}, "r": {"tiny_config"}, "b": {"tiny_artifact", "tiny_config"}}
    items = [
        SimpleNamespace(name=f"{kind}{n}", fixturenames=names.get(kind, ()), keywords=marks)
        for n in range(4)
        for kind in "oarb"
        for marks in [{"integration"} if n == 3 else {}]
    ]
    before = {item.name for item in items}
    suite_speed.pytest_collection_modifyitems(items)
    assert {item.name for item in items} == before
    assert len(items) == len(before)
    assert items[0].name in {"a3", "b3"}
    assert items[len(items) // 2].name == "r3"
