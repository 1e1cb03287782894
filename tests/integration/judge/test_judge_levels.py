"""The isolation levels: which is selected, how it is recorded, and what a run leaves behind."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import psutil
import pytest
from sandbox_levels import lacking, why_not

from evaluation.judge.levels.ranking import BUBBLEWRAP, LEVELS, UNCONFINED
from evaluation.judge.sandbox_pool import JudgeSettings, judge_all
from evaluation.judge.selftest import ESCAPES, run_selftest
from evaluation.judge.verdict import Limits, Outcome
from evaluation.passk.__main__ import main as passk
from evaluation.passk.judging import make_job
from evaluation.problems.problem_sources import load_problems
from training.foundation.errors import ConfigError, SandboxUnavailableError

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]


def test_each_level_proves_itself(level):
    assert why_not(level) is None


def test_a_level_that_does_not_hold_is_not_taken(monkeypatch):
    """If it fails, programs run unconfined under the name of a sandbox."""
    harmless = {"reading a host file": ESCAPES["reading a host file"]}
    monkeypatch.setattr("evaluation.judge.selftest.ESCAPES", harmless)
    with pytest.raises(SandboxUnavailableError, match="reading a host file ended as passed"):
        run_selftest(Limits(), UNCONFINED)


def test_without_bubblewrap_the_next_level_is_taken_and_named(
    one_problem, tmp_path, capsys, monkeypatch
):
    """If it fails, nobody knows at which level a score was judged."""
    others = [isolation for isolation in LEVELS[1:] if why_not(isolation) is None]
    if not others:
        lacking(why_not(LEVELS[1]))
    monkeypatch.setenv("PATH", str(tmp_path))
    arguments = ["--canonical", "--problems", one_problem, "--out", str(tmp_path / "out")]
    assert passk(arguments) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["isolation"] == others[0].name
    assert f"isolation level {others[0].name}" in capsys.readouterr().err


NO_NAMESPACES = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"'


def test_without_namespaces_there_is_landlock_or_a_sentence(one_problem, tmp_path):
    """As on a machine that grants no namespaces: in one of our own, which allows no others."""
    words = ["unshare", "--user", "--map-root-user", "/bin/sh", "-c", NO_NAMESPACES, "sh"]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        lacking("unshare cannot make a user namespace without further ones on this machine")
    arguments = ["--canonical", "--problems", one_problem, "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [*words, sys.executable, "-m", "evaluation.passk", *arguments],
        capture_output=True,
        check=False,
        text=True,
    )
    if why_not(LEVELS[2]) is None:
        assert done.returncode == 0, done.stderr
        assert json.loads((tmp_path / "out/summary.json").read_text())["isolation"] == "landlock"
    else:
        assert done.returncode == 3, done.stderr
        assert done.stderr.count("error: ") == 1


@pytest.mark.usefixtures("proven")
def test_the_canonical_solutions_all_pass(tmp_path, capsys):
    """If it fails, the judge is wrong, whatever it says about a model."""
    assert passk(["--canonical", "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["outcomes"] == {"passed": 164}
    assert "pass@1" in capsys.readouterr().out


def test_they_pass_at_every_level(level):
    """One solution in four; ``JUDGE_ALL_PROGRAMS=1`` judges all."""
    step = 1 if os.environ.get("JUDGE_ALL_PROGRAMS") else 4
    problems = load_problems("humaneval").problems[LEVELS.index(level) % step :: step]
    jobs = [make_job(p, p.program(p.canonical_solution)) for p in problems]
    found = {}
    settings = JudgeSettings(limits=Limits(), workers=2, isolation=level)
    judge_all(jobs, settings, report=found.__setitem__)
    assert {verdict.outcome for verdict in found.values()} == {Outcome.PASSED}
    assert len(found) >= 41


SYSTEM_PYTHON = "/usr/bin/python3"  # whose program lies in a folder that sandboxes show anyway
SAY_VERSION = "import sys; print(sys.version_info[:2])"


def test_each_level_runs_the_systems_python(level, one_problem, tmp_path):
    """If it fails, distributions' own Pythons are confined less well than others."""
    words = [SYSTEM_PYTHON, "-c", SAY_VERSION]
    said = subprocess.run(words, capture_output=True, check=False, text=True).stdout
    if said.strip() != str(sys.version_info[:2]):
        pytest.skip(f"{SYSTEM_PYTHON} cannot import what was installed for this Python")
    arguments = ["--canonical", "--problems", one_problem, "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [SYSTEM_PYTHON, "-m", "evaluation.passk", *arguments, "--isolation", level.name],
        capture_output=True,
        check=False,
        text=True,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])},
    )
    assert done.returncode == 0, done.stderr


def test_the_best_level_is_taken_unasked(best, one_problem, tmp_path):
    out = tmp_path / "out"
    assert passk(["--canonical", "--problems", one_problem, "--out", str(out)]) == 0
    assert json.loads((out / "summary.json").read_text())["isolation"] == best.name


def test_without_a_sandbox_it_refuses_unless_told(one_problem, tmp_path, capsys, monkeypatch):
    """If it fails, somebody runs a stranger's program in the belief that it is confined."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("evaluation.judge.levels.ranking.LEVELS", (BUBBLEWRAP,))
    arguments = ["--canonical", "--problems", one_problem, "--out", str(tmp_path / "out")]
    with pytest.raises(SandboxUnavailableError, match="apt-get install bubblewrap"):
        passk(arguments)
    assert not (tmp_path / "out").exists()
    assert passk([*arguments, "--unsafe-no-sandbox"]) == 0
    assert "with all your permissions" in capsys.readouterr().err
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["isolation"] == "none (unsafe)"
    assert summary["outcomes"] == {"passed": 1}


def test_a_level_that_does_not_work_is_no_reason_to_do_without(
    one_problem, tmp_path, capsys, monkeypatch
):
    """If it fails, a missing program has untrusted code run unconfined, though a sandbox works."""
    monkeypatch.setenv("PATH", str(tmp_path))
    arguments = ["--canonical", "--problems", one_problem, "--out", str(tmp_path / "out")]
    arguments += ["--isolation", "bubblewrap"]
    with pytest.raises(SandboxUnavailableError, match="leave --isolation out") as refused:
        passk(arguments)
    assert "apt-get install bubblewrap" in str(refused.value)
    assert "unsafe" not in str(refused.value)
    with pytest.raises(SystemExit):
        passk([*arguments, "--unsafe-no-sandbox"])
    assert "not allowed with argument --isolation" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def slow_problems(tmp_path):
    """A file of problems whose solutions take their time, and the problems' names."""
    path = tmp_path / "problems.jsonl"
    names = [f"t/{number}" for number in range(10)]
    test = "def check(candidate):\n    assert candidate([3, 1, 2]) == [1, 2, 3]\n"
    body = "    import time\n    time.sleep(0.2)\n    return sorted(xs)\n"
    common = {"prompt": "def f(xs):\n", "entry_point": "f", "canonical_solution": body}
    problems = [{"task_id": name, "test": test, **common} for name in names]
    path.write_text("".join(json.dumps(problem) + "\n" for problem in problems))
    return path, names


@pytest.mark.usefixtures("proven")
def test_a_killed_run_leaves_nothing_and_goes_on(slow_problems, tmp_path):
    """If it fails, an interruption loses samples or leaves programs running."""
    problems, names = slow_problems
    out = tmp_path / "out"
    arguments = ["--canonical", "--problems", str(problems), "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "evaluation.passk", *arguments], stderr=subprocess.DEVNULL
    )
    verdicts = out / "verdicts.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if verdicts.exists() and verdicts.read_bytes().count(b"\n") >= 3:
            break
        time.sleep(0.02)
    started = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(started, timeout=30)
    assert started
    assert not alive
    assert 3 <= verdicts.read_bytes().count(b"\n") < len(names)
    assert passk(arguments) == 0
    for name in ("verdicts.jsonl", "results.jsonl"):
        records = [json.loads(line) for line in (out / name).read_text().splitlines()]
        assert sorted(r["task_id"] for r in records) == sorted(names)
    assert [r["task_id"] for r in records] == names


@pytest.mark.usefixtures("proven")
def test_a_folder_of_another_run_is_refused(one_problem, tmp_path):
    arguments = ["--canonical", "--problems", one_problem, "--out", str(tmp_path / "out")]
    passk(arguments)
    with pytest.raises(ConfigError, match="another generation"):
        passk([*arguments, "--seed", "3"])
    with pytest.raises(ConfigError, match="needs at least 9"):
        passk(["--model", "m", "--n", "2", "--k", "9"])
