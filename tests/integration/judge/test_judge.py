"""The judge with honest, unusual and hostile programs, in real sandboxes."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from programs.breaking import BREAKING
from programs.disrupting import FEIGNING, HOST_WIDE
from programs.evading import CPU, HOLDING, SENDING
from programs.forging import FORGING
from programs.forging_in_process import FORGERIES
from programs.odd import ODD
from programs.reaching import BENCHMARK, SHARED
from sandbox_levels import need_level, pick_some

from evaluation.judge.cgroups import (
    POLLING,
    create_memory_group,
    describe_memory_bound,
    find_hierarchy,
)
from evaluation.judge.levels.ranking import LANDLOCK
from evaluation.judge.sandbox import open_sandbox
from evaluation.judge.sandbox_pool import JudgeSettings, judge_all
from evaluation.judge.verdict import Job, Limits, Outcome

pytestmark = pytest.mark.integration

LIMITS = Limits(cpu_s=1.0, wall_s=4.0)
SHORT = Limits(cpu_s=0.2, wall_s=0.4)  # the clocks stop while a program has no processor
SHORTEST = Limits(cpu_s=0.1, wall_s=0.4)
SHORT_CPU = Limits(cpu_s=0.2, wall_s=4.0)
SMALL = Limits(cpu_s=0.5, wall_s=0.8, memory_bytes=256 << 20)
TEST = (
    "def check(candidate):\n    assert candidate([3, 1, 2]) == [1, 2, 3]\n"
    "    assert candidate([]) == []\n    assert candidate([1.5, True]) == [True, 1.5]\n"
)
HONEST = "def f(xs):\n    return sorted(xs)\n"
HOSTILE = {
    "forging": FORGING,
    "breaking": BREAKING,
    "feigning": FEIGNING,
    "host-wide": {**HOST_WIDE, **SHARED},
    "sending": SENDING,
    "seeking the benchmark": BENCHMARK,
}
ALIKE = {"forging", "feigning", "sending"}  # attack what is the same at each level
ENDLESS = {"breaking", "feigning"}  # most of their programs run into a limit
PAIR = "__import__('socket').socketpair(1, 2)"  # of datagrams
UNSCORED = {Outcome.SANDBOX_FAILURE, Outcome.BROKE_SANDBOX}
FORKING = {"a fork", "a pool of processes", "a subprocess", "a shared memory"}
FORKING |= {"a shell", "children that end unheeded"}


def job(program, name="test"):
    return Job(task_id=name, program=program, entry_point="f", prelude="", test=TEST)


def judge(programs, isolation, limits=LIMITS, workers=2):
    found = {}
    jobs = [job(program) for program in programs]
    settings = JudgeSettings(limits=limits, workers=workers, isolation=isolation)
    judge_all(jobs, settings, report=found.__setitem__)
    assert len(found) == len(programs)
    return [found[i] for i in range(len(programs))]


def judge_in(sandbox, program):
    sandbox.submit(job(program))
    return sandbox.receive_verdict()


@pytest.fixture
def landlock():
    need_level(LANDLOCK)
    return LANDLOCK


def test_the_suite_of_programs_is_large():
    programs = [text for suite in HOSTILE.values() for text in suite.values()]
    assert len({*programs, *CPU.values(), *HOLDING.values(), *FORGERIES.values()}) >= 250
    assert len(ODD) >= 25


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(300)
def test_hostile_programs_never_pass_and_spoil_nothing(level, name):
    """If it fails, a score can be forged, or one program changes the next one's.

    An honest program follows each in the same sandbox. With Landlock a program learns the machine's
    name, and nothing else.
    """
    suite = pick_some(HOSTILE[name], level) if name in ALIKE else HOSTILE[name]
    learned = {"the host's name", *(["another user"] if os.getuid() == 0 else [])}
    programs = {
        name: program
        for name, program in suite.items()
        if level is not LANDLOCK or name not in learned
    }
    in_turn = [text for program in programs.values() for text in (program, HONEST)]
    limits = SHORTEST if name in ENDLESS else SHORT
    found = judge(in_turn, level, limits=limits, workers=1)
    wrong = [
        (name, hostile, honest)
        for name, hostile, honest in zip(programs, found[::2], found[1::2], strict=True)
        if hostile.outcome in {Outcome.PASSED, *UNSCORED} or honest.outcome is not Outcome.PASSED
    ]
    assert not wrong
    deadline = time.monotonic() + 10
    while left_behind() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left_behind()


def left_behind():
    return [p for p in psutil.Process().children(recursive=True) if is_sandbox(p)]


def is_sandbox(process):
    try:
        return "evaluation.judge.inside" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def test_odd_but_honest_programs_pass(level):
    """If it fails, a right answer is scored as wrong, or a refused fork is not explained."""
    found = dict(zip(ODD, judge(list(ODD.values()), level), strict=True))
    for name, verdict in found.items():
        if level is LANDLOCK and name in FORKING:
            assert verdict.outcome is Outcome.ERROR, (name, verdict)
            assert "PermissionError" in verdict.detail, (name, verdict)
        else:
            assert verdict.outcome is Outcome.PASSED, (name, verdict)


def test_without_namespaces_a_program_reaches_no_other_process(landlock):
    """If it fails, it can stop, slow down or spy on the user's other processes and files."""
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
        "a socket's address": f"{PAIR}[0].connect('/x')",
        "a message's address": f"{PAIR}[0].sendto(b'x', '/x')",
        "a socket's name": f"{PAIR}[0].bind('x')",
        "a program": "os.execv('/bin/true', ['true'])",
    }
    programs = [
        f"import os\ndef f(xs):\n    {a}\n    return sorted(xs)\n" for a in attempts.values()
    ]
    for name, verdict in zip(attempts, judge(programs, isolation=landlock), strict=True):
        assert verdict.outcome is Outcome.ERROR, (name, verdict)
        assert "PermissionError" in verdict.detail, (name, verdict)


def test_without_namespaces_a_program_leaves_nothing_behind(landlock):
    deep = "import os\ndef f(xs):\n    for _ in range(300):\n        os.mkdir('d')\n"
    many = "def f(xs):\n    for i in range(10**6):\n        open(str(i), 'w').close()\n"
    large = (
        "def f(xs):\n    for i in range(100):\n        with open(str(i), 'wb') as h:\n"
        "            h.write(bytes(32 << 20))\n"
    )
    deep += "        os.chdir('d')\n    return sorted(xs)\n"
    before = set(Path("/tmp").iterdir())
    found = judge([deep, many, large], isolation=landlock, workers=1)
    outcomes = [verdict.outcome for verdict in found]
    assert outcomes == [Outcome.PASSED, Outcome.OUTPUT_LIMIT, Outcome.OUTPUT_LIMIT]
    assert {p for p in Path("/tmp").iterdir() if p.name.startswith("judge-")} <= before


@pytest.fixture(scope="module")
def small_sandbox(level):
    sandbox = open_sandbox(0, SMALL, level)
    yield sandbox
    sandbox.close()


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
    ],
)
def test_outcomes_say_what_happened(small_sandbox, program, outcome):
    verdict = judge_in(small_sandbox, program)
    assert verdict.outcome is outcome, verdict


@contextlib.contextmanager
def busy_processor(n_busy):
    """Runs busy processes on the processor of the first sandbox."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    words = ["timeout", "60", "sh", "-c", "echo; while :; do :; done"]
    processes = [
        subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)
        for _ in range(n_busy)
    ]
    os.sched_setaffinity(0, allowed)
    try:
        for process in processes:
            assert process.stdout.readline() == b"\n"
        yield
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.stdout.close()
            process.wait()


@pytest.mark.timeout(120)
def test_a_loaded_machine_changes_no_verdict(best):
    """If it fails, a score depends on what else the machine does.

    As pass@k has it, the limits stand in a proportion that leaves a program a twentieth of a
    processor before it is stopped in any case.
    """
    limits = Limits(cpu_s=0.12, wall_s=0.48)
    work = "    import time\n    while time.process_time() < 0.07:\n        pass\n"
    computing = "def f(xs):\n" + work + "    return sorted(xs)\n"
    programs = {
        computing: Outcome.PASSED,
        BREAKING["endless"]: Outcome.TIMEOUT_CPU,
        BREAKING["sleeping"]: Outcome.TIMEOUT_WALL,
        HONEST: Outcome.PASSED,
    }
    with contextlib.closing(open_sandbox(0, limits, best)) as sandbox, busy_processor(8):
        found = [judge_in(sandbox, program) for program in programs]
    assert [verdict.outcome for verdict in found] == list(programs.values())
    assert found[0].wall_s > limits.wall_s  # proves that the processor was busy


def test_what_children_compute_counts(level):
    """If it fails, a program gets any amount of processor time by forking."""
    program = (
        "import os\ndef f(xs):\n    if os.fork() == 0:\n        while True:\n            pass\n"
        "    os.wait()\n    return sorted(xs)\n"
    )
    (verdict,) = judge([program], level, SHORTEST)
    wanted = Outcome.ERROR if level is LANDLOCK else Outcome.TIMEOUT_CPU  # there none may fork
    assert verdict.outcome is wanted, verdict


def test_what_lost_children_compute_counts(level):
    """If it fails, children that are never waited for compute beyond the limit."""
    limits = Limits(cpu_s=0.2, wall_s=1.0)
    seconds = itertools.cycle(("0.1", "0.02"))
    names = pick_some(CPU, level)
    programs = [CPU[name].replace("{child_s}", s) for name, s in zip(names, seconds, strict=False)]
    in_turn = [text for program in programs for text in (program, HONEST)]
    found = judge(in_turn, level, limits=limits)
    assert {verdict.outcome for verdict in found[1::2]} == {Outcome.PASSED}
    outcomes = dict(zip(names, (verdict.outcome for verdict in found[::2]), strict=True))
    if level is LANDLOCK:  # there none may fork
        assert Outcome.PASSED not in outcomes.values()
    else:
        assert set(outcomes.values()) == {Outcome.TIMEOUT_CPU}, outcomes


def test_one_programs_time_is_not_the_next_ones(level):
    """If it fails, a right program is stopped for what the one before it computed."""
    work = "    import time\n    while time.process_time() < 0.12:\n        pass\n"
    found = judge(["def f(xs):\n" + work + "    return sorted(xs)\n"] * 3, level, SHORT_CPU, 1)
    assert {verdict.outcome for verdict in found} == {Outcome.PASSED}


@pytest.mark.parametrize("has_group", [True, False], ids=["as it is", "without a group"])
def test_what_is_held_out_of_sight_counts(level, has_group, monkeypatch):
    """If it fails, a program holds any amount of memory where no control group can be created."""
    if not has_group:
        monkeypatch.setattr("evaluation.judge.environment.find_hierarchy", lambda: None)
        monkeypatch.setattr("evaluation.judge.sandbox.create_memory_group", lambda *_: None)
    limits = Limits(cpu_s=2.0, wall_s=0.8, memory_bytes=300 << 20)
    in_turn = [text for program in HOLDING.values() for text in (program, HONEST)]
    found = judge(in_turn, level, limits=limits)
    assert {verdict.outcome for verdict in found[1::2]} == {Outcome.PASSED}
    outcomes = dict(zip(HOLDING, (verdict.outcome for verdict in found[::2]), strict=True))
    assert not {Outcome.PASSED, *UNSCORED} & set(outcomes.values()), outcomes
    if not has_group:
        assert set(outcomes.values()) <= {Outcome.OOM, Outcome.ERROR}, outcomes


def test_what_children_hold_in_memory_counts(level):
    (verdict,) = judge([BREAKING["memory over many processes"]], level, limits=SMALL)
    assert verdict.outcome is (Outcome.ERROR if level is LANDLOCK else Outcome.OOM), verdict


def test_the_kernel_bounds_the_memory_of_all_processes_together(best):
    """If it fails, memory that grows between two measurements exceeds the limit."""
    if describe_memory_bound() == POLLING:
        pytest.skip("no control group may be written here")
    root = find_hierarchy().parent
    before = set(root.glob(f"parrotlet-{os.getpid()}-*"))
    group = create_memory_group(0, 64 << 20)
    grow = "import os\nos.fork()\nos.fork()\nx = bytearray(100 << 20)\nprint(len(x))"
    words = [*group.build_join_command(), sys.executable, "-c", grow]
    done = subprocess.run(words, capture_output=True, check=False)
    assert done.stdout.count(b"\n") < 4
    assert group.poll_oom_kill()
    assert not group.poll_oom_kill()
    group.close()
    (verdict,) = judge([HONEST], best)
    assert verdict.outcome is Outcome.PASSED
    assert set(root.glob(f"parrotlet-{os.getpid()}-*")) == before


def test_a_group_that_a_former_process_left_is_in_nobodys_way():
    """If it fails, a run measures memory otherwise than the one that it continues, and cannot."""
    if describe_memory_bound() == POLLING:
        pytest.skip("no control group may be written here")
    left = find_hierarchy().parent / f"parrotlet-{os.getpid()}-probe"
    left.mkdir()
    try:
        find_hierarchy.cache_clear()
        assert find_hierarchy() is not None
    finally:
        left.rmdir()
