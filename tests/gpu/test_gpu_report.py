"""The report's dry run: its parts on a CPU, its clock, and what failures cost."""

import sys
import time
from types import SimpleNamespace

import gpu_report
import pytest
from accelerate.state import AcceleratorState
from gpu_report import PARTS, compare_with_contenders, draw_table, run_part, supervise

pytestmark = pytest.mark.integration
# These by the command, in tests/e2e; default is measured by the function that measures small.
ELSEWHERE = ("tests", "pass@k", "default")


@pytest.fixture
def _as_a_process(monkeypatch):
    """Parts are made for processes of their own."""
    monkeypatch.syspath_prepend(gpu_report.PARTS_FOLDER)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("_as_a_process")
@pytest.mark.parametrize("name", [name for name in PARTS if name not in ELSEWHERE])
def test_parts_run_on_a_cpu(name):
    """If it fails, a rented GPU's minutes go to a typing error."""
    rows = list(run_part(PARTS[name], "cpu", is_tiny=True))
    assert rows
    for row in rows:
        assert row["figure"]
        assert isinstance(row["value"], str) or row["value"] > 0


def test_a_part_that_fails_or_hangs_keeps_what_it_has_found():
    """If it fails, one wrong figure costs all others on a machine that is rented by the minute."""
    row = """print('{"figure": "x", "value": 1}', flush=True)"""
    started = time.monotonic()
    for code, limit_s, reason in (
        (f"{row}; raise ValueError('no kernel')", 60, "exit code 1: ValueError: no kernel"),
        (f"import subprocess; {row}; subprocess.run(['sleep', '60'])", 1.5, "stopped after 2 s"),
        (row, 60, None),
    ):
        rows = []
        assert supervise([sys.executable, "-c", code], limit_s, rows.append) == reason
        assert rows == [{"figure": "x", "value": 1}]
    assert time.monotonic() - started < 30


def test_when_time_has_run_out_the_other_parts_say_so(monkeypatch):
    monkeypatch.setattr(gpu_report, "supervise", lambda *_: "exit code 1")
    options = SimpleNamespace(minutes=0.0, device="cpu", tiny=True)
    rows = gpu_report.make_report({"xl": PARTS["xl"]}, options, lambda _: None)
    assert rows == [{"part": "xl", "error": "no time left of 0 minutes"}]
    options.minutes = 1.0
    rows = gpu_report.make_report({"xl": PARTS["xl"]}, options, lambda _: None)
    assert rows[0] == {"part": "xl", "error": "exit code 1"}
    assert "ERROR" in draw_table(rows)


@pytest.mark.usefixtures("_as_a_process")
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("tests/gpu/test_a.py::test_b[cuda] PASSED     [ 50%]", ("test_b[cuda]", "passed")),
        ("[gw1] [ 50%] FAILED tests/gpu/test_a.py::test_b[a b] ", ("test_b[a b]", "failed")),
        ("tests/gpu/test_a.py::test_b[cuda] ", None),
        ("FAILED tests/gpu/test_a.py::test_b - AssertionError", None),
    ],
    ids=("one", "several", "unfinished", "summary"),
)
def test_outcomes_are_read_with_one_process_and_with_several(line, found):
    from report_tests import read_outcome

    assert read_outcome(line) == found


def test_ours_is_compared_with_the_contender_of_the_same_size():
    rows = [
        {"part": "small", "figure": "as configured", "value": 300.0, "unit": "tokens/s"},
        {"part": "small, contender", "figure": "plain loop", "value": 200.0, "unit": "tokens/s"},
        {"part": "xl", "figure": "recomputed", "value": 10.0, "unit": "tokens/s"},
    ]
    (row,) = compare_with_contenders(rows)
    assert (row["part"], row["value"]) == ("small", 1.5)


def test_the_parts_fit_into_eight_minutes():
    assert sum(part.limit_s for part in PARTS.values()) <= 540  # few take all of theirs
    assert sum(part.limit_s for part in list(PARTS.values())[:-1]) <= 480
