"""What a pass@k run's folder says when the command is run again: partial figures, second tries."""

import json

import pytest

from evaluation.passk.__main__ import main as passk
from evaluation.runs.journal import read_journal
from training.foundation.errors import ConfigError

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("proven")]

GOOD, BROKEN = (
    {
        "task_id": f"t/{value}",
        "prompt": "def one():\n",
        "entry_point": "one",
        "canonical_solution": f"    return {value}\n",
        "test": "def check(candidate):\n    assert candidate() == 1\n",
    }
    for value in (1, 3)
)


@pytest.fixture
def judge(tmp_path):
    """Runs the command on problems, and returns the outcomes that the folder has then."""

    def judge(records, *arguments, out=tmp_path / "out"):
        path = tmp_path / "problems.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        words = ["--problems", str(path), "--out", str(out), *map(str, arguments)]
        assert passk(words) == 0
        return [(r["task_id"], r["outcome"]) for r in read_journal(out / "results.jsonl")]

    return judge


def test_partial_figures_of_a_finished_run_are_its_figures(judge, tmp_path):
    """If it fails, own solutions that fail are left out, and the score of the rest is 100%."""
    found = judge([GOOD, BROKEN], "--canonical")
    assert found == [("t/1", "passed"), ("t/3", "failed")]
    files = [tmp_path / "out" / name for name in ("results.jsonl", "summary.json")]
    before = [path.read_bytes() for path in files]
    assert judge([GOOD, BROKEN], "--canonical", "--partial") == found
    assert [path.read_bytes() for path in files] == before


def test_partial_figures_are_of_the_source_that_is_named(judge, tmp_path):
    """If it fails, another source's samples are scored, though the problem's solution fails."""
    samples = tmp_path / "samples.jsonl"
    records = [{"task_id": name, "completion": "    return 1\n"} for name in ("t/1", "t/3")]
    samples.write_text("".join(json.dumps(r) + "\n" for r in records))
    given = ["--samples", samples, "--n", "1"]
    found = judge([GOOD, BROKEN], *given)
    assert found == [("t/1", "passed"), ("t/3", "invalid_problem")]
    model = ["--model", "m", "--n", "1", "--k", "1"]
    for other in (["--canonical"], model):
        with pytest.raises(ConfigError, match="contains a run with another source"):
            judge([GOOD, BROKEN], *other, "--partial")
    assert judge([GOOD, BROKEN], *given, "--partial") == found


NEEDS_NUMPY = {
    **GOOD,
    "task_id": "t/numpy",
    "canonical_solution": "    import numpy\n    return int(numpy.ones(1)[0])\n",
}


@pytest.mark.parametrize("source", ["--canonical", "--samples"])
def test_a_solution_that_failed_is_tried_again(judge, tmp_path, monkeypatch, source):
    """If it fails, what is installed as the message advises changes nothing in the folder."""
    samples = tmp_path / "samples.jsonl"
    records = [
        {"task_id": problem["task_id"], "completion": problem["canonical_solution"]}
        for problem in (GOOD, NEEDS_NUMPY)
    ]
    samples.write_text("".join(json.dumps(r) + "\n" for r in records))
    arguments = [source] if source == "--canonical" else [source, samples]
    with monkeypatch.context() as patch:
        patch.setattr("evaluation.judge.sandbox_packages.PACKAGES", ())
        before = judge([GOOD, NEEDS_NUMPY], *arguments)
    failed = "error" if source == "--canonical" else "invalid_problem"
    assert before == [("t/1", "passed"), ("t/numpy", failed)]
    assert judge([GOOD, NEEDS_NUMPY], *arguments) == [("t/1", "passed"), ("t/numpy", "passed")]
    journals = [tmp_path / "out" / name for name in ("validity.jsonl", "verdicts.jsonl")]
    known = [path.read_bytes() for path in journals]
    judge([GOOD, NEEDS_NUMPY], *arguments)
    assert [path.read_bytes() for path in journals] == known  # what has passed is not tried again
