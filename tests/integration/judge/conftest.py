"""Problems for tests that look at a run, not at what it judges."""

import json

import pytest

N_FEW = 2
RECORD = {
    "prompt": "def f(xs):\n",
    "entry_point": "f",
    "canonical_solution": "    return sorted(xs)\n",
    "test": "def check(candidate):\n    assert candidate([3, 1, 2]) == [1, 2, 3]\n",
}


@pytest.fixture
def few_problems(tmp_path):
    """A file of two problems."""
    path = tmp_path / "few.jsonl"
    records = [{"task_id": f"few/{number}", **RECORD} for number in range(N_FEW)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)
