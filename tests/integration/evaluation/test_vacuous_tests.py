"""A test that never uses the function proves nothing of a program: such a problem is invalid."""

import json

import pytest

from evaluation.passk.__main__ import main as passk
from evaluation.passk.summary import WHY_INVALID
from evaluation.runs.journal import read_journal

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("proven")]

UNCALLED = "def test_double():\n    assert double(2) == 4\n"
VACUOUS = {
    "a function of another name": UNCALLED,
    "a misspelt name": "def chek(candidate):\n    assert candidate(2) == 4\n",
    "a coroutine": "async def check(candidate):\n    assert candidate(2) == 4\n",
    "a script": f"{UNCALLED}if __name__ == '__main__':\n    test_double()\n",
    "a class": "import unittest\nclass TestDouble(unittest.TestCase):\n    def test_double(self):\n"
    "        self.assertEqual(double(2), 4)\n",
    "an assertion of something else": f"import sys\nassert sys.version_info >= (3,)\n{UNCALLED}",
    "a function that looks inside": "def test_double():\n    assert double(answer) == 84\n",
}
USING = {
    "a call": "def check(candidate):\n    assert candidate(2) == 4\n",
    "a variable": "assert answer == 42\n",
    "a signature": "import inspect\nassert len(inspect.signature(double).parameters) == 1\n",
    "what is refused": "def check(candidate):\n    try:\n        candidate(object())\n"
    "    except:\n        return\n    assert False\n",
    "a thread": "import threading\ndef check(candidate):\n    found = []\n"
    "    def run():\n        found.append(candidate([object()][0:0]))\n"
    "    t = threading.Thread(target=run)\n    t.start()\n    t.join()\n    assert found == [[]]\n",
}
RIGHT = "    return 2 * x\nanswer = 42\n"
WRONG = "    return 0\nanswer = 0\n"


@pytest.fixture
def judge(tmp_path):
    """Runs the command on problems; returns the outcomes of their samples by problem."""

    def judge(tests, *arguments, samples=(), **more):
        problem = {"prompt": "def double(x):\n", "entry_point": "double", **more}
        records = [{**problem, "task_id": name, "test": test} for name, test in tests.items()]
        lines = [{"task_id": n, "completion": text} for n in tests for text in samples]
        problems, given, out = (tmp_path / name for name in ("p.jsonl", "s.jsonl", "out"))
        problems.write_text("".join(json.dumps(record) + "\n" for record in records))
        given.write_text("".join(json.dumps(line) + "\n" for line in lines))
        words = ["--problems", problems, "--out", out, "--workers", "1", "--k", "1", *arguments]
        assert passk([*map(str, words), *(["--samples", str(given)] if samples else [])]) == 0
        found = {name: [] for name in tests}
        for result in read_journal(out / "results.jsonl"):
            found[result["task_id"]].append(result["outcome"])
        return found

    return judge


@pytest.mark.parametrize("more", [{}, {"in_process": True}], ids=["chosen", "in_process"])
def test_a_problem_whose_test_uses_nothing_is_invalid(judge, more, tmp_path, capsys):
    """If it fails, every program that loads passes, and a useless model scores 100%."""
    tests = {**VACUOUS, **USING}
    found = judge(tests, samples=(RIGHT, WRONG), canonical_solution=RIGHT, **more)
    assert {name: found[name] for name in VACUOUS} == dict.fromkeys(
        VACUOUS, ["invalid_problem"] * 2
    )
    assert {found[name][0] for name in USING} == {"passed"}
    assert found["a call"] == ["passed", "failed"]
    assert found["a variable"] == ["passed", "failed"]
    reasons = {r["task_id"]: r["detail"] for r in read_journal(tmp_path / "out/validity.jsonl")}
    assert {reasons[name] for name in VACUOUS} == {reasons["a script"]}
    assert "define check(candidate)" in reasons["a script"]
    assert f"{WHY_INVALID}: a class" in capsys.readouterr().out
    assert WHY_INVALID in (tmp_path / "out/report.html").read_text()
    judge(tests, "--partial", samples=(RIGHT, WRONG), canonical_solution=RIGHT, **more)


@pytest.mark.parametrize("more", [{}, {"in_process": True}], ids=["chosen", "in_process"])
def test_own_solutions_do_not_pass_a_test_that_uses_nothing(judge, more):
    """If it fails, --canonical shows that such problems work, and they are not scored."""
    found = judge({**VACUOUS, **USING}, "--canonical", canonical_solution=RIGHT, **more)
    assert {name for name, outcomes in found.items() if outcomes == ["passed"]} == set(USING)


def test_without_a_solution_a_test_that_uses_nothing_is_invalid_wherever_it_runs(judge):
    """If it fails, every program passes or fails such a test, and that counts in the score."""
    for _ in range(2):  # the second run resumes
        found = judge({**VACUOUS, **USING}, samples=(RIGHT, WRONG))
        for name in VACUOUS:
            assert found[name] == ["invalid_problem"] * 2, name
        assert {found[name][0] for name in USING} == {"passed", "failed"}
        assert found["a variable"] == ["passed", "failed"]
