"""The judge against honest, odd and hostile programs, in its real sandbox."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from programs.breaking import BREAKING, ESCAPING, LINGERING, READING
from programs.forging import FORGING
from programs.odd import ODD

from evaluation.judge.host import judge_all
from evaluation.judge.levels import LEVELS, UNCONFINED
from evaluation.judge.selftest import MUST_NOT_ESCAPE, run_selftest
from evaluation.judge.verdict import Job, Limits, Outcome
from evaluation.passk import main as passk
from training.artifact.errors import SandboxUnavailableError

pytestmark = pytest.mark.integration

LIMITS = Limits(cpu_s=1.0, wall_s=4.0)
TEST = (
    "def check(candidate):\n    assert candidate([3, 1, 2]) == [1, 2, 3]\n"
    "    assert candidate([]) == []\n    assert candidate([1.5, True]) == [True, 1.5]\n"
)
HONEST = "def f(xs):\n    return sorted(xs)\n"


def job(program, name="test"):
    return Job(task_id=name, program=program, entry_point="f", prelude="", test=TEST)


def judge(programs, limits=LIMITS, workers=2, command=LEVELS[0].command):
    found = {}
    jobs = [job(program) for program in programs]
    judge_all(jobs, limits=limits, workers=workers, report=found.__setitem__, command=command)
    assert len(found) == len(programs)
    return [found[i] for i in range(len(programs))]


@pytest.mark.parametrize("isolation", LEVELS, ids=lambda isolation: isolation.level)
def test_each_level_proves_itself(isolation):
    run_selftest(Limits(), isolation.command)


def test_a_level_that_does_not_hold_is_not_taken(monkeypatch):
    """If it fails, programs run unconfined under the name of a sandbox."""
    harmless = {"reading a host file": MUST_NOT_ESCAPE["reading a host file"]}
    monkeypatch.setattr("evaluation.judge.selftest.MUST_NOT_ESCAPE", harmless)
    with pytest.raises(SandboxUnavailableError, match="reading a host file ended as passed"):
        run_selftest(Limits(), UNCONFINED.command)


@pytest.mark.timeout(300)
def test_without_bubblewrap_nothing_gets_out_either():
    programs = {**READING, **ESCAPING, **LINGERING}
    in_turn = [text for program in programs.values() for text in (program, HONEST)]
    (command,) = (level.command for level in LEVELS if level.level == "namespaces")
    found = judge(in_turn, workers=1, command=command)
    for name, hostile, honest in zip(programs, found[::2], found[1::2], strict=True):
        assert hostile.outcome not in {Outcome.PASSED, Outcome.SANDBOX_FAILURE}, (name, hostile)
        assert honest.outcome is Outcome.PASSED, (name, honest)


@pytest.fixture(scope="module")
def verdicts():
    """Of every program, each followed by an honest one in the same sandbox."""
    programs = {**FORGING, **BREAKING, **{f"odd: {name}": text for name, text in ODD.items()}}
    in_turn = [text for program in programs.values() for text in (program, HONEST)]
    found = judge(in_turn, workers=1)
    return dict(zip(programs, zip(found[::2], found[1::2], strict=True), strict=True))


@pytest.mark.timeout(400)
def test_the_suite_is_as_large_as_it_says(verdicts):
    """Its first use judges all programs, so that the others do not pay for it."""
    assert len({*FORGING, *BREAKING}) >= 100
    assert len(ODD) >= 25
    deadline = time.monotonic() + 10
    while processes_of(b"evaluation.judge.inside") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not processes_of(b"evaluation.judge.inside")


@pytest.mark.parametrize("name", ODD)
def test_odd_but_honest_programs_pass(verdicts, name):
    """If it fails, a right answer is scored as wrong."""
    verdict, _ = verdicts[f"odd: {name}"]
    assert verdict.outcome is Outcome.PASSED, verdict


@pytest.mark.parametrize("name", [*FORGING, *BREAKING])
def test_hostile_programs_never_pass_and_spoil_nothing(verdicts, name):
    """If it fails, a score can be forged, or one program changes the next one's."""
    hostile, honest = verdicts[name]
    assert hostile.outcome not in {Outcome.PASSED, Outcome.SANDBOX_FAILURE}, hostile
    assert honest.outcome is Outcome.PASSED, honest


@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        ("def f(xs):\n    return xs\n", Outcome.FAILED),
        ("def f(xs):\n    return xs[7]\n", Outcome.ERROR),
        ("def f(xs:\n", Outcome.SYNTAX_ERROR),
        ("x = 1\n", Outcome.ERROR),
        (BREAKING["endless"], Outcome.TIMEOUT_CPU),
        (BREAKING["sleeping"], Outcome.TIMEOUT_WALL),
        (BREAKING["memory"], Outcome.OOM),
        (FORGING["a signal"], Outcome.CRASHED),
        (FORGING["exit in the call"], Outcome.EXITED_EARLY),
        (BREAKING["endless output"], Outcome.OUTPUT_LIMIT),
        (BREAKING["memory over many processes"], Outcome.OOM),
    ],
)
def test_outcomes_say_what_happened(program, outcome):
    (verdict,) = judge([program])
    assert verdict.outcome is outcome, verdict


def test_the_canonical_solutions_all_pass(tmp_path, capsys):
    """If it fails, the judge is wrong, whatever it says of a model."""
    assert passk(["--canonical", "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["outcomes"] == {"passed": 164}
    assert summary["isolation"] == "bubblewrap"
    assert "pass@1" in capsys.readouterr().out


def test_without_a_sandbox_it_refuses_unless_told(tmp_path, capsys, monkeypatch):
    """If it fails, somebody runs a stranger's program believing it is confined."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("evaluation.judge.levels.LEVELS", LEVELS[:1])
    arguments = ["--canonical", "--out", str(tmp_path / "out")]
    with pytest.raises(SandboxUnavailableError, match="apt-get install bubblewrap"):
        passk(arguments)
    assert not (tmp_path / "out").exists()
    assert passk([*arguments, "--unsafe-no-sandbox"]) == 0
    assert "anything that you can" in capsys.readouterr().err
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["isolation"] == "none (unsafe)"
    assert summary["outcomes"] == {"passed": 164}


def processes_of(marker):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if marker in command:
                found.append(int(entry.name))
    return found


def test_a_killed_run_leaves_nothing_and_goes_on(tmp_path):
    """If it fails, an interruption loses samples or leaves programs running."""
    problems = tmp_path / "p.jsonl"
    lines = []
    for number in range(40):
        body = "    import time\n    time.sleep(0.2)\n    return sorted(xs)\n"
        lines.append(
            {
                "task_id": f"t/{number}",
                "prompt": "def f(xs):\n",
                "entry_point": "f",
                "canonical_solution": body,
                "test": TEST,
            }
        )
    problems.write_text("".join(json.dumps(line) + "\n" for line in lines))
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
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    while time.monotonic() < deadline and processes_of(b"evaluation.judge.inside"):
        time.sleep(0.05)
    assert not processes_of(b"evaluation.judge.inside")
    assert 3 <= verdicts.read_bytes().count(b"\n") < 40
    assert passk(arguments) == 0
    for name in ("verdicts.jsonl", "results.jsonl"):
        records = [json.loads(line) for line in (out / name).read_text().splitlines()]
        assert sorted(r["task_id"] for r in records) == sorted(line["task_id"] for line in lines)
    assert [r["task_id"] for r in records] == [line["task_id"] for line in lines]


def test_a_folder_of_another_run_is_refused(tmp_path):
    from training.artifact.errors import ConfigError

    passk(["--canonical", "--out", str(tmp_path)])
    with pytest.raises(ConfigError, match="another generation"):
        passk(["--canonical", "--seed", "3", "--out", str(tmp_path)])
    with pytest.raises(ConfigError, match="needs at least 9"):
        passk(["--model", "m", "--n", "2", "--k", "9"])
