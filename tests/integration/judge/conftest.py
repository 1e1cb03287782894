"""A problem for tests that look at a run, not at what it judges."""

import json

import pytest

RECORD = {
    "task_id": "one",
    "prompt": "def f(xs):\n",
    "entry_point": "f",
    "canonical_solution": "    return sorted(xs)\n",
    "test": "def check(candidate):\n    assert candidate([3, 1, 2]) == [1, 2, 3]\n",
}


@pytest.fixture
def one_problem(tmp_path):
    """A file of one problem: one sandbox is started."""
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps(RECORD) + "\n")
    return str(path)
