"""A disk that is full in the middle of a run: what was judged is kept, and the run resumes."""

import json
import resource
import subprocess
import sys

import pytest

from evaluation.runs.journal import read_journal

pytestmark = pytest.mark.integration

N = 40
PROBLEM = {
    "task_id": "t/1",
    "prompt": "def one(x):\n",
    "entry_point": "one",
    "canonical_solution": "    return x\n",
    "test": "def check(candidate):\n    assert candidate(1) == 1\n",
}


def run(arguments, file_bytes=None):
    """Runs the command; no file may become longer than ``file_bytes``."""

    def limit():
        if file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, resource.RLIM_INFINITY))

    return subprocess.run(
        [sys.executable, "-m", "evaluation.passk", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        preexec_fn=limit,
    )


def test_a_full_disk_loses_no_verdict(best, tmp_path):
    """If it fails, an error at the end of a night costs the night."""
    problems, samples, out = (tmp_path / name for name in ("p.jsonl", "s.jsonl", "out"))
    problems.write_text(json.dumps(PROBLEM))
    sample = {"task_id": "t/1", "completion": "    return x\n"}
    samples.write_text(f"{json.dumps(sample)}\n" * N)
    arguments = ["--problems", problems, "--samples", samples, "--out", out]
    arguments += ["--isolation", best.name]
    ended = run(arguments, file_bytes=5000)
    assert ended.returncode == 3, ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("error: File too large; free some disk space")
    assert "Traceback" not in ended.stderr
    judged = (out / "verdicts.jsonl").read_bytes()
    assert 3000 < len(judged) <= 5000
    assert judged.endswith(b"\n")
    resumed = run(arguments)
    assert resumed.returncode == 0, resumed.stderr
    assert (out / "verdicts.jsonl").read_bytes().startswith(judged)
    keys = [(r["task_id"], r["sample"]) for r in read_journal(out / "verdicts.jsonl")]
    assert len(keys) == len(set(keys)) == N
    assert json.loads((out / "summary.json").read_text())["samples"] == N


@pytest.mark.parametrize("kind", ["file", "folder of another", "below a file"])
def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, kind):
    out = tmp_path / "out"
    out.write_text("x")
    if kind == "below a file":
        out /= "below"
    elif kind == "folder of another":
        out.unlink()
        out.symlink_to("/proc/self")
    ended = run(["--problems", "own", "--canonical", "--unsafe-no-sandbox", "--out", out])
    assert ended.returncode == 3
    (*_, line) = ended.stderr.splitlines()
    assert line.startswith("error: cannot write ")
