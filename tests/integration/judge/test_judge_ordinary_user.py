"""The judge as an ordinary user, who may not ignore permissions.

In a user namespace in which we are user 1000, with no capability after the exec.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_levels import lacking, need_level

from evaluation.judge.levels.ranking import LANDLOCK, LEVELS

pytestmark = pytest.mark.integration

AS_USER = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
SOME_PROGRAMS = """
import os, sys, tempfile
from evaluation.judge.levels.ranking import LANDLOCK
from evaluation.judge.sandbox import open_sandbox
from evaluation.judge.verdict import Job, Limits

assert os.getuid() == 1000
tempfile.tempdir = sys.argv[1]
sandbox = open_sandbox(0, Limits(disk_bytes=8 << 20), LANDLOCK)
test = "def check(candidate):\\n    assert candidate() is True\\n"
for program in sys.argv[2:]:
    sandbox.submit(Job(task_id="t", program=program, entry_point="f", prelude="", test=test))
    print(sandbox.receive_verdict().outcome)
sandbox.close()
"""
UNLISTABLE = {
    "folders that cannot be listed": "    for k in range(4):\n        os.mkdir(f'd{k}', 0o300)\n"
    "        for n in range(8):\n            with open(f'd{k}/{n}', 'wb') as handle:\n"
    "                handle.write(bytes(2 << 20))\n",
    "a mask that hides all": "    os.umask(0o777)\n    for k in range(9):\n"
    "        os.mkdir(f'd{k}')\n    for k in range(9):\n"
    "        with open(f'{k}', 'wb') as handle:\n            handle.write(bytes(2 << 20))\n",
    "files that are deleted and still open": ""
    "    for k in range(9):\n        d = os.open('x', 0o102)\n"
    "        os.unlink('x')\n        os.write(d, bytes(2 << 20))\n",
    "files without a name": ""
    "    for k in range(9):\n        d = os.open('.', os.O_TMPFILE | 2)\n"
    "        os.write(d, bytes(2 << 20))\n",
    "files that are deleted, closed and still mapped": ""
    "    import mmap\n    global maps\n    maps = []\n"
    "    for k in range(9):\n        d = os.open('x', 0o102)\n        os.write(d, bytes(2 << 20))\n"
    "        maps.append(mmap.mmap(d, 4096))\n        os.close(d)\n        os.unlink('x')\n",
    "files that the process hides": ""
    "    import ctypes\n    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n"
    "    for k in range(9):\n        d = os.open('.', os.O_TMPFILE | 2)\n"
    "        os.write(d, bytes(2 << 20))\n",
    "a path that is too long": "    for _ in range(30):\n        os.mkdir('d' * 200)\n"
    "        os.chdir('d' * 200)\n    with open('x', 'wb') as handle:\n"
    "        handle.write(bytes(8 << 20))\n",
}


@pytest.fixture
def as_user():
    """Runs Python code as user 1000."""

    def run(code, *arguments):
        command = [*AS_USER, sys.executable, "-c", code, *arguments]
        return subprocess.run(command, capture_output=True, check=False, text=True)

    if run("").returncode:
        lacking("unshare cannot map this user to another on this machine")
    return run


def test_an_ordinary_user_can_judge(level, one_problem, tmp_path, as_user):
    program = (
        "import os, sys; from evaluation.passk.__main__ import main; assert os.getuid() == 1000;"
        " sys.exit(main(sys.argv[1:]))"
    )
    out = tmp_path / "out"
    arguments = ["--canonical", "--problems", one_problem, "--isolation", level.name]
    done = as_user(program, *arguments, "--out", str(out))
    assert done.returncode == 0, done.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert summary["isolation"] == level.name
    assert summary["outcomes"] == {"passed": 1}


def test_files_that_are_hidden_from_us_count_and_are_removed(tmp_path, as_user):
    """If it fails, a program fills the disk, and what it wrote is left behind."""
    need_level(LANDLOCK)
    programs = [
        f"import os, time\ndef f():\n{body}    time.sleep(1)\n    return True\n"
        for body in UNLISTABLE.values()
    ]
    done = as_user(SOME_PROGRAMS, str(tmp_path), *programs)
    assert done.returncode == 0, done.stderr
    found = dict(zip(UNLISTABLE, done.stdout.split(), strict=True))
    assert set(found.values()) == {"output_limit"}, found
    assert list(tmp_path.iterdir()) == []


SUITE = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from evaluation.judge.levels.ranking import LEVELS
from evaluation.judge.sandbox_pool import JudgeSettings, judge_all
from evaluation.judge.verdict import Job, Limits
from programs.breaking import ESCAPING, READING
from programs.disrupting import FEIGNING, HOST_WIDE
from programs.evading import CPU, SENDING
from programs.reaching import BENCHMARK, SHARED

assert os.getuid() == 1000
level = next(level for level in LEVELS if level.name == sys.argv[2])
programs = {**FEIGNING, **HOST_WIDE, **SENDING, **BENCHMARK, **SHARED, **READING, **ESCAPING}
programs |= {name: text.replace("{child_s}", "0.02") for name, text in CPU.items()}
known = {"the host's name"} if level.needs_folder else set()
names = sorted(programs.keys() - known)[int(sys.argv[3]) :: int(sys.argv[4])]
honest = "def f(xs):\\n    return sorted(xs)\\n"
test = "assert f([3, 1, 2]) == [1, 2, 3]\\nassert f([]) == []\\nassert f([2.5, 0]) == [0, 2.5]\\n"
jobs = [
    Job(task_id="t", program=text, entry_point="f", prelude="", test=test)
    for name in names
    for text in (programs[name], honest)
]
found = {}
limits = Limits(cpu_s=0.2, wall_s=0.4)
settings = JudgeSettings(limits=limits, workers=1, isolation=level)
judge_all(jobs, settings, report=found.__setitem__)
unwanted = {"passed", "sandbox_failure", "broke_sandbox"}
wrong = [
    (name, found[2 * n].outcome, found[2 * n + 1].outcome)
    for n, name in enumerate(names)
    if found[2 * n].outcome in unwanted or found[2 * n + 1].outcome != "passed"
]
print(json.dumps([len(names), wrong]))
"""


def test_an_ordinary_users_hostile_programs_never_pass(level, as_user):
    """If it fails, what holds as root does not hold for the user who judges.

    One program in five; ``JUDGE_ALL_PROGRAMS=1`` runs all.
    """
    step = "1" if os.environ.get("JUDGE_ALL_PROGRAMS") else "5"
    tests = str(Path(__file__).parents[2])
    done = as_user(SUITE, tests, level.name, str(LEVELS.index(level) % int(step)), step)
    assert done.returncode == 0, done.stderr
    n_programs, wrong = json.loads(done.stdout)
    assert n_programs >= 30
    assert not wrong
