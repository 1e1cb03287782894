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

from evaluation.judge.cgroups import WATCHED, bounded_by, memory_group, usable_hierarchy
from evaluation.judge.host import judge_all
from evaluation.judge.levels import (
    BUBBLEWRAP,
    LANDLOCK,
    LEVELS,
    NAMESPACES,
    UNCONFINED,
)
from evaluation.judge.selftest import MUST_NOT_ESCAPE, run_selftest
from evaluation.judge.verdict import Job, Limits, Outcome
from evaluation.passk import main as passk
from evaluation.problems.own import own_problems
from training.artifact.errors import SandboxUnavailableError

pytestmark = pytest.mark.integration

LIMITS = Limits(cpu_s=1.0, wall_s=4.0)
SMALL = Limits(cpu_s=1.0, wall_s=4.0, memory_bytes=512 << 20)
TEST = (
    "def check(candidate):\n    assert candidate([3, 1, 2]) == [1, 2, 3]\n"
    "    assert candidate([]) == []\n    assert candidate([1.5, True]) == [True, 1.5]\n"
)
HONEST = "def f(xs):\n    return sorted(xs)\n"


def job(program, name="test"):
    return Job(task_id=name, program=program, entry_point="f", prelude="", test=TEST)


def judge(programs, limits=LIMITS, workers=2, isolation=BUBBLEWRAP):
    found = {}
    jobs = [job(program) for program in programs]
    judge_all(jobs, limits=limits, workers=workers, report=found.__setitem__, isolation=isolation)
    assert len(found) == len(programs)
    return [found[i] for i in range(len(programs))]


@pytest.mark.parametrize("isolation", LEVELS, ids=lambda isolation: isolation.level)
def test_each_level_proves_itself(isolation):
    run_selftest(Limits(), isolation)


def test_a_level_that_does_not_hold_is_not_taken(monkeypatch):
    """If it fails, programs run unconfined under the name of a sandbox."""
    harmless = {"reading a host file": MUST_NOT_ESCAPE["reading a host file"]}
    monkeypatch.setattr("evaluation.judge.selftest.MUST_NOT_ESCAPE", harmless)
    with pytest.raises(SandboxUnavailableError, match="reading a host file ended as passed"):
        run_selftest(Limits(), UNCONFINED)


@pytest.mark.timeout(300)
def test_without_bubblewrap_nothing_gets_out_either():
    hostile_fail_and_honest_pass({**READING, **ESCAPING, **LINGERING}, NAMESPACES)


@pytest.mark.timeout(400)
def test_without_namespaces_nothing_gets_out_either():
    """The machine's name is all that it learns."""
    learnt = {"the host's name", *(["another user"] if os.getuid() == 0 else [])}
    programs = {name: p for name, p in {**FORGING, **BREAKING}.items() if name not in learnt}
    hostile_fail_and_honest_pass(programs, LANDLOCK)


def hostile_fail_and_honest_pass(programs, isolation):
    in_turn = [text for program in programs.values() for text in (program, HONEST)]
    found = judge(in_turn, workers=1, isolation=isolation)
    wrong = [
        (name, hostile, honest)
        for name, hostile, honest in zip(programs, found[::2], found[1::2], strict=True)
        if hostile.outcome in {Outcome.PASSED, Outcome.SANDBOX_FAILURE}
        or honest.outcome is not Outcome.PASSED
    ]
    assert not wrong


def test_without_namespaces_what_forks_is_refused_and_all_else_passes():
    """If it fails, a right answer is scored as wrong, or without a word of why."""
    forking = {"a fork", "a pool of processes", "a subprocess", "a shared memory"}
    found = dict(zip(ODD, judge(list(ODD.values()), isolation=LANDLOCK), strict=True))
    for name, verdict in found.items():
        if name in forking:
            assert verdict.outcome is Outcome.ERROR, (name, verdict)
            assert "PermissionError" in verdict.detail, (name, verdict)
        else:
            assert verdict.outcome is Outcome.PASSED, (name, verdict)


def test_without_namespaces_a_program_meets_nobody():
    """If it fails, it can stop, slow down or overhear the user's other processes and files."""
    me = os.getpid()
    attempts = {
        "a signal": f"os.kill({me}, 0)",
        "a signal to all": "os.kill(-1, 0)",
        "a limit": f"__import__('resource').prlimit({me}, 3, (1, 1))",
        "a niceness": f"os.setpriority(os.PRIO_PROCESS, {me}, 19)",
        "a processor": f"os.sched_setaffinity({me}, {{0}})",
        "its descriptors' signals": "__import__('fcntl').fcntl(0, 8, 1)",
        "a file's mode": "os.chmod('/usr', 0)",
        "a file's time": "os.utime('/usr')",
        "a file's end": "os.truncate('/usr/lib/os-release', 0)",
        "a folder's names": "os.listdir('/')",
        "its neighbour's folder": "os.listdir('..')",
        "a process' command line": f"open('/proc/{me}/cmdline').read()",
        "a socket": "__import__('socket').socket(1, 1)",
        "a program": "os.execv('/bin/true', ['true'])",
    }
    programs = [
        f"import os\ndef f(xs):\n    {a}\n    return sorted(xs)\n" for a in attempts.values()
    ]
    for name, verdict in zip(attempts, judge(programs, isolation=LANDLOCK), strict=True):
        assert verdict.outcome is Outcome.ERROR, (name, verdict)
        assert "PermissionError" in verdict.detail, (name, verdict)


def test_without_namespaces_a_program_leaves_nothing_behind():
    deep = "import os\ndef f(xs):\n    for _ in range(300):\n        os.mkdir('d')\n"
    many = "def f(xs):\n    for i in range(10**6):\n        open(str(i), 'w').close()\n"
    large = (
        "def f(xs):\n    for i in range(100):\n        with open(str(i), 'wb') as h:\n"
        "            h.write(bytes(32 << 20))\n"
    )
    deep += "        os.chdir('d')\n    return sorted(xs)\n"
    before = set(Path("/tmp").iterdir())
    found = judge([deep, many, large], isolation=LANDLOCK, workers=1)
    outcomes = [verdict.outcome for verdict in found]
    assert outcomes == [Outcome.PASSED, Outcome.OUTPUT_LIMIT, Outcome.OUTPUT_LIMIT]
    assert {p for p in Path("/tmp").iterdir() if p.name.startswith("judge-")} <= before


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
    (verdict,) = judge([program], limits=SMALL)
    assert verdict.outcome is outcome, verdict


@pytest.fixture
def loaded_machine():
    """More processes that only compute than there are processors."""
    spin = "print(flush=True)\nwhile True:\n    pass\n"
    words = ["timeout", "60", sys.executable, "-c", spin]
    processes = [
        subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)
        for _ in range(4 * len(os.sched_getaffinity(0)))
    ]
    for process in processes:
        assert process.stdout.readline() == b"\n"
    yield
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()


@pytest.mark.usefixtures("loaded_machine")
@pytest.mark.timeout(120)
def test_a_loaded_machine_changes_no_verdict():
    """If it fails, a score depends on what else the machine does."""
    work = "    import time\n    while time.process_time() < {}:\n        pass\n"
    computing = "def f(xs):\n" + work.format(0.8) + "    return sorted(xs)\n"
    limits = Limits(cpu_s=1.0, wall_s=1.2)
    programs = {
        computing: Outcome.PASSED,
        BREAKING["endless"]: Outcome.TIMEOUT_CPU,
        BREAKING["sleeping"]: Outcome.TIMEOUT_WALL,
        HONEST: Outcome.PASSED,
    }
    found = judge(list(programs), limits=limits)
    assert [verdict.outcome for verdict in found] == list(programs.values())
    assert found[0].wall_s > limits.wall_s  # it was loaded


def test_what_children_compute_counts():
    """If it fails, a program gets any amount of processor time by forking."""
    program = (
        "import os\ndef f(xs):\n    if os.fork() == 0:\n        while True:\n            pass\n"
        "    os.wait()\n    return sorted(xs)\n"
    )
    (verdict,) = judge([program])
    assert verdict.outcome is Outcome.TIMEOUT_CPU
    assert verdict.wall_s < 3 * LIMITS.cpu_s


def test_the_kernel_bounds_the_memory_of_all_processes_together():
    """The looks alone come every twentieth of a second, and miss what grows faster."""
    if bounded_by() == WATCHED:
        pytest.skip("no control group may be written here")
    group = memory_group(0, 64 << 20)
    grow = "import os\nos.fork()\nos.fork()\nx = bytearray(100 << 20)\nprint(len(x))"
    words = [*group.joining_words(), sys.executable, "-c", grow]
    done = subprocess.run(words, capture_output=True, check=False)
    assert done.stdout.count(b"\n") < 4
    assert group.has_killed()
    assert not group.has_killed()
    group.close()
    (verdict,) = judge([BREAKING["memory over many processes"]], limits=SMALL)
    assert verdict.outcome is Outcome.OOM
    root = usable_hierarchy().parent
    assert not list(root.glob(f"parrotlet-{os.getpid()}-*"))


def test_an_ordinary_user_can_judge(tmp_path):
    """In a user namespace in which we are user 1000, with no capability after the exec."""
    words = ["unshare", "--user", "--map-user=1000", "--map-group=1000", sys.executable, "-c"]
    program = (
        "import os, sys; from evaluation.passk import main; assert os.getuid() == 1000;"
        " sys.exit(main(sys.argv[1:]))"
    )
    for level in ("bubblewrap", "namespaces", "landlock"):
        out = tmp_path / level
        arguments = ["--canonical", "--problems", "own", "--isolation", level, "--out", str(out)]
        done = subprocess.run([*words, program, *arguments], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        summary = json.loads((out / "summary.json").read_text())
        assert summary["isolation"] == level
        assert summary["outcomes"] == {"passed": len(own_problems())}


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
