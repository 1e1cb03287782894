"""The judge as an ordinary user, who may not ignore permissions.

In a user namespace in which we are user 1000, with no capability after the exec.
"""

import json
import subprocess
import sys

import pytest
from sandbox_levels import lacking, need_level

from evaluation.judge.levels.ranking import LANDLOCK
from evaluation.problems.own import load_own_problems

pytestmark = pytest.mark.integration

AS_USER = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
ONE_PROGRAM = """
import os, sys, tempfile
from evaluation.judge.levels.ranking import LANDLOCK
from evaluation.judge.sandbox import open_sandbox
from evaluation.judge.verdict import Job, Limits

assert os.getuid() == 1000
tempfile.tempdir = sys.argv[1]
sandbox = open_sandbox(0, Limits(disk_bytes=8 << 20), LANDLOCK)
test = "def check(candidate):\\n    assert candidate() is True\\n"
sandbox.submit(Job(task_id="t", program=sys.argv[2], entry_point="f", prelude="", test=test))
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


def test_an_ordinary_user_can_judge(level, tmp_path, as_user):
    program = (
        "import os, sys; from evaluation.passk.__main__ import main; assert os.getuid() == 1000;"
        " sys.exit(main(sys.argv[1:]))"
    )
    out = tmp_path / "out"
    arguments = ["--canonical", "--problems", "own", "--isolation", level.name, "--out", str(out)]
    done = as_user(program, *arguments)
    assert done.returncode == 0, done.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert summary["isolation"] == level.name
    assert summary["outcomes"] == {"passed": len(load_own_problems())}


@pytest.mark.parametrize("name", UNLISTABLE)
def test_files_that_are_hidden_from_us_count_and_are_removed(name, tmp_path, as_user):
    """If it fails, a program fills the disk, and what it wrote is left behind."""
    need_level(LANDLOCK)
    program = f"import os, time\ndef f():\n{UNLISTABLE[name]}    time.sleep(1)\n    return True\n"
    done = as_user(ONE_PROGRAM, str(tmp_path), program)
    assert done.stdout.strip() == "output_limit", done.stderr
    assert list(tmp_path.iterdir()) == []
