"""The judge against honest, odd and hostile programs, in its real sandbox."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evaluation.judge.host import judge_all
from evaluation.judge.selftest import run_selftest
from evaluation.judge.verdict import Job, Limits, Outcome
from evaluation.passk import main as passk

pytestmark = pytest.mark.integration

LIMITS = Limits(cpu_s=1.0, wall_s=4.0)
TEST = (
    "def check(candidate):\n    assert candidate([3, 1, 2]) == [1, 2, 3]\n"
    "    assert candidate([]) == []\n    assert candidate([1.5, True]) == [True, 1.5]\n"
)
HONEST = "def f(xs):\n    return sorted(xs)\n"

ODD = {
    "threads": "import threading\ndef f(xs):\n    out = []\n"
    "    t = threading.Thread(target=lambda: out.extend(sorted(xs)))\n"
    "    t.start(); t.join()\n    return out\n",
    "files": "def f(xs):\n    import tempfile, json\n    with tempfile.TemporaryFile('w+') as h:\n"
    "        json.dump(xs, h); h.seek(0)\n        return sorted(json.load(h))\n",
    "much output": "def f(xs):\n    print('x' * 10_000_000)\n    return sorted(xs)\n",
    "exit caught": "def f(xs):\n    try:\n        raise SystemExit(1)\n    except SystemExit:\n"
    "        return sorted(xs)\n",
    "subclass": "class L(list):\n    pass\ndef f(xs):\n    return L(sorted(xs))\n",
    "deep recursion": "def d(n):\n    return n and d(n - 1)\ndef f(xs):\n    d(500)\n"
    "    return sorted(xs)\n",
}

HOSTILE = {
    "exit at import": "import os\nos._exit(0)\n",
    "SystemExit": "raise SystemExit(0)\n",
    "exit in the call": "def f(xs):\n    import os\n    os._exit(0)\n",
    "equal to all": "class A:\n    __eq__ = lambda s, o: True\n    __hash__ = None\n"
    "def f(xs):\n    return A()\n",
    "list equal to all": "class A(list):\n    __eq__ = lambda s, o: True\n"
    "def f(xs):\n    return A()\n",
    "patched builtins": "import builtins\nbuiltins.sorted = lambda x: x\n"
    "builtins.AssertionError = ValueError\ndef f(xs):\n    return xs\n",
    "forged verdict": "import os, json, struct\nm = json.dumps({'outcome': 'passed', 'calls': 3})"
    ".encode()\nfor d in range(64):\n    try:\n"
    "        os.write(d, struct.pack('<I', len(m)) + m)\n    except OSError:\n        pass\n"
    "def f(xs):\n    return None\n",
    "forged answers": "import os, json, struct\ndef put(o):\n    m = json.dumps(o).encode()\n"
    "    os.write(3, struct.pack('<I', len(m)) + m)\nput({'ok': 1})\n"
    "for _ in range(9):\n    put({'r': []})\ndef f(xs):\n    return []\n",
    "huge frame": "import os, struct\nos.write(3, struct.pack('<I', 2**32 - 1))\n"
    "def f(xs):\n    return []\n",
    "huge fraction": "import os, json, struct\nm = json.dumps({'r': {'q': ['0x' + 'f' * 900000,"
    " '0x0']}}).encode()\ndef f(xs):\n    os.write(3, struct.pack('<I', len(m)) + m)\n",
    "decimal bomb": "import decimal\ndef f(xs):\n    return decimal.Decimal('1e999999999')\n",
    "nested": "def f(xs):\n    x = []\n    for _ in range(100000):\n        x = [x]\n"
    "    return x\n",
    "fork bomb": "import os\ndef f(xs):\n    while True:\n        try:\n            os.fork()\n"
    "        except OSError:\n            pass\n",
    "memory": "def f(xs):\n    x = [0] * 10**10\n    return x\n",
    "endless": "def f(xs):\n    while True:\n        pass\n",
    "endless at import": "while True:\n    pass\n",
    "sleeper": "import time\ndef f(xs):\n    time.sleep(1000)\n",
    "kill all": "import os\ndef f(xs):\n    os.kill(-1, 9)\n    os.kill(0, 9)\n",
    "kill parent": "import os\ndef f(xs):\n    os.kill(os.getppid(), 9)\n    os.kill(1, 9)\n",
    "closed descriptors": "import os\nos.closerange(0, 64)\ndef f(xs):\n    return sorted(xs)\n",
    "disk": "def f(xs):\n    with open('/tmp/x', 'wb') as h:\n        while True:\n"
    "            h.write(b'x' * 2**20)\n",
    "exit as the sandbox would": "import os\nos._exit(77)\n",
    "signal": "import os\ndef f(xs):\n    os.abort()\n",
    "segfault": "import ctypes\ndef f(xs):\n    ctypes.string_at(0)\n",
    "lingering child": "import os, time\nif os.fork() == 0:\n    while True:\n"
    "        time.sleep(0.1)\ndef f(xs):\n    return None\n",
    "vsock": "import socket\nsocket.socket(40, 1)\ndef f(xs):\n    return sorted(xs)\n",
    "reading the tests": "import gc\ndef f(xs):\n    raise ValueError("
    "str([o for o in gc.get_objects() if 'check' in str(o)[:200]])[:50])\n",
}


def job(program, name="test"):
    return Job(task_id=name, program=program, entry_point="f", prelude="", test=TEST)


def judge(programs, limits=LIMITS, workers=2):
    found = {}
    jobs = [job(program) for program in programs]
    judge_all(jobs, limits=limits, workers=workers, report=found.__setitem__)
    assert len(found) == len(programs)
    return [found[i] for i in range(len(programs))]


def test_the_sandbox_proves_itself():
    run_selftest(Limits())


@pytest.mark.parametrize("name", ODD)
def test_odd_but_honest_programs_pass(name):
    """If it fails, a right answer is scored as wrong."""
    (verdict,) = judge([ODD[name]])
    assert verdict.outcome is Outcome.PASSED, verdict


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs_never_pass_and_spoil_nothing(name):
    """If it fails, a score can be forged, or one program changes the next one's."""
    hostile, honest = judge([HOSTILE[name], HONEST], workers=1)
    assert hostile.outcome not in {Outcome.PASSED, Outcome.SANDBOX_FAILURE}, hostile
    assert honest.outcome is Outcome.PASSED, honest


@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        ("def f(xs):\n    return xs\n", Outcome.FAILED),
        ("def f(xs):\n    return xs[7]\n", Outcome.ERROR),
        ("def f(xs:\n", Outcome.SYNTAX_ERROR),
        ("x = 1\n", Outcome.ERROR),
        (HOSTILE["endless"], Outcome.TIMEOUT_CPU),
        (HOSTILE["sleeper"], Outcome.TIMEOUT_WALL),
        (HOSTILE["memory"], Outcome.OOM),
        (HOSTILE["signal"], Outcome.CRASHED),
        (HOSTILE["exit in the call"], Outcome.EXITED_EARLY),
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
    from training.artifact.errors import SandboxUnavailableError

    monkeypatch.setenv("PATH", str(tmp_path))
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
    results = out / "results.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if results.exists() and results.read_bytes().count(b"\n") >= 3:
            break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    while time.monotonic() < deadline and processes_of(b"evaluation.judge.inside"):
        time.sleep(0.05)
    assert not processes_of(b"evaluation.judge.inside")
    assert 3 <= results.read_bytes().count(b"\n") < 40
    assert passk(arguments) == 0
    records = [json.loads(line) for line in results.read_text().splitlines()]
    assert sorted(r["task_id"] for r in records) == sorted(line["task_id"] for line in lines)


def test_a_folder_of_another_run_is_refused(tmp_path):
    from training.artifact.errors import ConfigError

    passk(["--canonical", "--out", str(tmp_path)])
    with pytest.raises(ConfigError, match="another generation"):
        passk(["--canonical", "--seed", "3", "--out", str(tmp_path)])
    with pytest.raises(ConfigError, match="needs at least 9"):
        passk(["--model", "m", "--n", "2", "--k", "9"])
