"""Right solutions of every kind of problem are judged right, wrong ones wrong; where, and how hard
it is to forge a pass where a test runs in the program's own process."""

import dataclasses
import json

import pytest
from programs.forging_in_process import FORGERIES
from programs.problem_kinds import APART, BESIDE
from programs.problem_values import KINDS
from sandbox_levels import pick_some

from evaluation.judge.confirmation import judge_confirmed
from evaluation.judge.mode_choice import choose_modes
from evaluation.judge.sandbox_pool import JudgeSettings, SandboxPool
from evaluation.judge.verdict import Limits, Outcome
from evaluation.passk.__main__ import main as passk
from evaluation.passk.judging import make_job
from evaluation.problems.formats import parse_problem

pytestmark = pytest.mark.integration


def make_problem(name):
    kind = KINDS[name]
    body = "".join(f"    {line}\n" for line in kind.test.splitlines())
    entry_point = "\ufb01nd_\u00b5" if "\u00b5" in kind.prompt else "f"
    record = {
        "task_id": name,
        "prompt": kind.prompt,
        "entry_point": entry_point,
        "canonical_solution": kind.right,
        "test": f"def check(candidate):\n{body}",
    }
    return parse_problem(json.loads(json.dumps(record)), name)


PROBLEMS = {name: make_problem(name) for name in KINDS}
FORGED = "a function returned"  # a pass of it


@pytest.fixture(scope="module")
def pool(level):
    limits = Limits(cpu_s=1.0, wall_s=4.0)
    with SandboxPool(JudgeSettings(limits=limits, workers=2, isolation=level)) as pool:
        yield pool


@pytest.fixture(scope="module")
def problems(level):
    return {FORGED: PROBLEMS[FORGED], **pick_some(PROBLEMS, level)}


@pytest.fixture(scope="module")
def modes(pool, problems):
    jobs = [make_job(p, p.program(p.canonical_solution)) for p in problems.values()]
    found = {}
    choose_modes(jobs, pool, report=found.__setitem__)
    return {name: found[number] for number, name in enumerate(problems)}


def judge(jobs, pool):
    found = {}
    judge_confirmed(jobs, pool, report=found.__setitem__)
    return [found[number] for number in range(len(jobs))]


def test_the_kinds_are_many():
    assert len(KINDS) >= 60


def test_each_kind_is_judged_where_it_can_be(modes):
    """If it fails, a problem is called invalid, or judged where a pass is easier to forge."""
    wrong = {
        name: (mode.verdict.outcome, mode.verdict.detail, mode.is_in_process)
        for name, mode in modes.items()
        if mode.verdict.outcome is not Outcome.PASSED
        or mode.is_in_process != (KINDS[name].mode == BESIDE)
    }
    assert not wrong


def test_each_kind_in_process_has_counter_tests(modes):
    without = [n for n, m in modes.items() if m.is_in_process and not m.counter_tests]
    assert not without


def test_right_solutions_pass_and_wrong_ones_do_not(modes, problems, pool):
    jobs = [
        make_job(problem, problem.program(completion), modes[name])
        for name, problem in problems.items()
        for completion in (problem.canonical_solution, KINDS[name].wrong)
    ]
    verdicts = judge(jobs, pool)
    right = dict(zip(problems, verdicts[::2], strict=True))
    wrong = dict(zip(problems, verdicts[1::2], strict=True))
    assert {n: v for n, v in right.items() if v.outcome is not Outcome.PASSED} == {}
    scored = {Outcome.FAILED, Outcome.ERROR}
    assert {n: v for n, v in wrong.items() if v.outcome not in scored} == {}


def test_a_pass_in_process_is_hard_to_forge(level, modes, pool):
    """If it fails, a program passes by reporting a pass, or by returning what the test expects.

    That of "a guess" is one in 60 programs at the most; here it guesses each of several values.
    """
    problem, mode = PROBLEMS[FORGED], modes[FORGED]
    assert mode.is_in_process
    test = "def check(candidate):\n    assert [candidate(2)(x) for x in (3, 4, 5)] == [5, 6, 7]\n"
    job = dataclasses.replace(make_job(problem, "", mode), test=test)
    forgeries = pick_some(FORGERIES, level)
    jobs = [dataclasses.replace(job, program=program) for program in forgeries.values()]
    found = dict(zip(forgeries, judge(jobs, pool), strict=True))
    wrong = {Outcome.PASSED, Outcome.SANDBOX_FAILURE, Outcome.BROKE_SANDBOX}
    assert {name: verdict for name, verdict in found.items() if verdict.outcome in wrong} == {}


def test_kinds_say_where_they_run():
    assert {kind.mode for kind in KINDS.values()} == {APART, BESIDE}


def test_the_command_judges_them_and_says_where(proven, tmp_path, capsys):
    """If it fails, the choice is lost between the judge and the results, or when a run resumes."""
    names = ["a class", "a generator", "a counter", "what it prints"]
    problems = tmp_path / "problems.jsonl"
    records = [dataclasses.asdict(PROBLEMS[name]) for name in names]
    for record in records:
        del record["is_in_process"]
    problems.write_text("".join(json.dumps(record) + "\n" for record in records))
    samples = tmp_path / "samples.jsonl"
    lines = [
        {"task_id": n, "completion": c} for n in names for c in (KINDS[n].right, KINDS[n].wrong)
    ]
    samples.write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "out"
    arguments = ["--problems", str(problems), "--samples", str(samples), "--k", "1"]
    arguments += ["--workers", "1"]
    for _ in range(2):  # the second run resumes
        assert passk([*arguments, "--out", str(out)]) == 0
        results = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
        assert [r["passed"] for r in results] == [True, False] * 4
        assert [r["mode"] for r in results[::2]] == [KINDS[name].mode for name in names]
        (out / "verdicts.jsonl").unlink()
    assert "2 problems judged inside the program's own process" in capsys.readouterr().out
    assert (
        "own processes, where a verdict is easier to forge: 2" in (out / "report.html").read_text()
    )
