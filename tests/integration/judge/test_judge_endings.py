"""How sandboxes end: with whoever uses them, and nothing that ran in them goes on."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import psutil
import pytest
from sandbox_levels import need_level

from evaluation.judge.levels.ranking import LANDLOCK, LEVELS, UNCONFINED
from evaluation.judge.sandbox import open_sandbox
from evaluation.judge.sandbox_pool import JudgeSettings, SandboxPool, judge_all
from evaluation.judge.verdict import Job, Limits, Outcome

pytestmark = pytest.mark.integration

TEST = "assert f(1) == 1\n"
SECONDS = 60
SLEEPING = (
    "import ctypes, time\nlibc = ctypes.CDLL(None)\n{before}libc.prctl(15, b'{name}', 0, 0, 0)\n"
    f"for _ in range({SECONDS}):\n    time.sleep(1)\n"
)
LIMITS = Limits(cpu_s=5.0, wall_s=SECONDS)
BEFORE = (
    "",
    # It would rather live; nothing keeps it from that where it is not confined.
    "import os\nlibc.prctl(1, 0, 0, 0, 0)\ntry:\n    os.setsid()\nexcept OSError:\n    pass\n",
)


def job(program):
    return Job(task_id="t", program=program, entry_point="f", prelude="", test=TEST)


def find_running(name):
    """Returns the processes of a program that called itself so; one that has ended is none."""
    ended = {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    processes = psutil.process_iter(["name", "status"])
    return [p for p in processes if p.info["name"] == name and p.info["status"] not in ended]


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@pytest.fixture
def name():
    """What a program calls itself, to be found from outside of its namespaces."""
    return f"p{time.monotonic_ns() % 10**12}"


@pytest.fixture(params=[*LEVELS, UNCONFINED], ids=lambda isolation: isolation.name)
def any_level(request):
    """Each level that holds here, and none at all."""
    if request.param is not UNCONFINED:
        need_level(request.param)
    return request.param


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_a_program_does_not_outlive_its_sandbox(any_level, how, name):
    """If it fails, a stranger's program runs on, unlimited, after its judge has ended."""
    for before in BEFORE[: 1 if any_level is UNCONFINED else None]:
        sandbox = open_sandbox(0, LIMITS, any_level)
        try:
            sandbox.submit(job(SLEEPING.format(name=name, before=before)))
            assert wait_for(lambda: find_running(name))
            if how == "closed":
                sandbox.close()
                assert not find_running(name), before
            else:
                sandbox._process.kill()
                assert wait_for(lambda: not find_running(name), seconds=20), before
        finally:
            sandbox.close()


SIGNALS = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM, "SIGKILL": signal.SIGKILL}


@pytest.mark.parametrize("how", SIGNALS)
@pytest.mark.timeout(180)
def test_an_interrupted_run_leaves_nothing(level, how, name, tmp_path):
    """If it fails, programs or folders stay behind, or the user reads a traceback."""
    record = {"prompt": "def f(x):\n", "entry_point": "f", "canonical_solution": "    return x\n"}
    problems, samples, temporary = (tmp_path / n for n in ("p.jsonl", "s.jsonl", "temporary"))
    temporary.mkdir()
    records = [{**record, "task_id": f"t/{n}", "test": TEST} for n in range(6)]
    problems.write_text("".join(json.dumps(record) + "\n" for record in records))
    sleeping = SLEEPING.format(name=name, before="")
    lines = [{"task_id": "t/0", "completion": "    return x\n"}]
    lines += [
        {"task_id": f"t/{n}", "solution": f"def f(x): return x\n{sleeping}"} for n in range(1, 6)
    ]
    samples.write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = ["--samples", samples, "--problems", problems, "--out", tmp_path / "out"]
    arguments += ["--isolation", level.name, "--workers", "3", "--k", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "evaluation.passk", *map(str, arguments)],
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert wait_for(lambda: len(find_running(name)) >= 3), process.poll()
    started = psutil.Process(process.pid).children(recursive=True)
    if how == "Ctrl-C":  # a terminal interrupts all of its group
        os.killpg(process.pid, SIGNALS[how])
    else:
        process.send_signal(SIGNALS[how])
    _, printed = process.communicate(timeout=60)
    if how != "SIGKILL":
        assert process.returncode == 130, printed
        assert "interrupted: finished work is saved" in printed
        assert "Traceback" not in printed
        assert not find_running(name)
    assert wait_for(lambda: not find_running(name), seconds=20)
    assert not psutil.wait_procs(started, timeout=20)[1]
    assert wait_for(lambda: not list(temporary.glob("judge-*")), seconds=20)
    verdicts = (tmp_path / "out/verdicts.jsonl").read_text().splitlines()
    assert [json.loads(line)["task_id"] for line in verdicts] == ["t/0"]


def test_an_interrupted_pool_reports_nothing_more(best, monkeypatch):
    """If it fails, verdicts arrive where the journal is closed, or on nobody's fault."""
    found, n_started = {}, []
    program = "import time\ntime.sleep(60)\ndef f(x):\n    return x\n"
    jobs = [job("def f(x):\n    return x\n"), *[job(program)] * 5]
    settings = JudgeSettings(limits=LIMITS, workers=2, isolation=best)

    def report(number, verdict):
        found[number] = verdict.outcome
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    def count(*arguments, **named):
        n_started.append(1)
        return open_sandbox(*arguments, **named)

    monkeypatch.setattr("evaluation.judge.sandbox_pool.open_sandbox", count)
    with pytest.raises(KeyboardInterrupt), SandboxPool(settings) as pool:
        pool.judge_all(jobs, report=report)
    assert found == {0: Outcome.PASSED}
    assert len(n_started) == 2


def test_sandboxes_are_kept_until_the_pool_is_closed(any_level, monkeypatch):
    """If it fails, each phase of a run starts its sandboxes anew, and judges some jobs twice."""
    n_started, found = [], {}

    def count(*arguments, **named):
        n_started.append(1)
        return open_sandbox(*arguments, **named)

    monkeypatch.setattr("evaluation.judge.sandbox_pool.open_sandbox", count)
    settings = JudgeSettings(limits=LIMITS, workers=2, isolation=any_level)
    with SandboxPool(settings) as pool:
        for _ in range(3):
            pool.judge_all([job("def f(x):\n    return x\n")] * 4, report=found.__setitem__)
            assert {verdict.outcome for verdict in found.values()} == {Outcome.PASSED}
    assert len(n_started) == 2


def test_a_sandbox_that_cannot_be_built_leaves_no_folder(monkeypatch, tmp_path):
    def fail(*_, **__):
        raise OSError("no")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("evaluation.judge.sandbox.subprocess.Popen", fail)
    with pytest.raises(OSError, match="no"):
        open_sandbox(0, LIMITS, LANDLOCK)
    assert list(tmp_path.iterdir()) == []


MANY_THREADS = """
import threading
threading.stack_size(65536)
def f(x):
    for _ in range({n}):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    return x
"""


def test_threads_count_as_processes(level):
    """If it fails, a program starts as many threads as the machine can bear."""
    limits = Limits(cpu_s=5.0, wall_s=10.0, processes=40)
    found = {}
    jobs = [job(MANY_THREADS.format(n=n)) for n in (30, 60, 600)]
    settings = JudgeSettings(limits=limits, workers=1, isolation=level)
    judge_all(jobs, settings, report=found.__setitem__)
    outcomes = [found[number].outcome for number in range(3)]
    assert outcomes == [Outcome.PASSED, Outcome.ERROR, Outcome.ERROR]


UNCONFINED_THREAD = """
import os, subprocess, sys
from evaluation.judge.levels.ranking import UNCONFINED
from evaluation.judge.sandbox_pool import JudgeSettings, judge_all
from evaluation.judge.verdict import Job, Limits

assert os.getuid() != 0
others = [subprocess.Popen(["sleep", "60"]) for _ in range(20)]
program = "import threading\\ndef f(x):\\n    for _ in range(5):\\n"
program += "        threading.Thread(target=threading.Event().wait, daemon=True).start()\\n"
job = Job(task_id="t", program=program + "    return 1\\n", entry_point="f", prelude="",
    test="assert f(1) == 1\\n")
settings = JudgeSettings(limits=Limits(processes=10), workers=1, isolation=UNCONFINED)
judge_all([job], settings, report=lambda _, verdict: print(verdict.outcome, verdict.detail))
for other in others:
    other.kill()
"""


def test_a_users_own_processes_are_not_the_programs():
    """If it fails, unconfined programs cannot start a thread beside a user's other processes."""
    words = [sys.executable, "-c", UNCONFINED_THREAD]
    if os.getuid() == 0:  # whose processes the kernel does not count
        capabilities = "+dac_override,+dac_read_search"  # the interpreter may be below /root
        words = [f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}", *words]
        words = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", *words]
    done = subprocess.run(words, capture_output=True, check=False, text=True)
    assert done.stdout.strip() == "passed", (done.stdout, done.stderr)
