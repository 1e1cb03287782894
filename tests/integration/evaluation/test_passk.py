"""pass@k end to end: a real model generates, the real sandbox judges, nothing is lost."""

import json
import signal
import subprocess
import sys
import time

import pytest

from evaluation.passk.__main__ import main as passk
from evaluation.runs.journal import read_journal
from training.foundation.errors import ConfigError

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("proven")]

CASES = {  # what the test expects for an empty list, and the canonical solution
    "easy": (0.0, None),
    "other": (1.0, "    return 1.0\n"),
}


@pytest.fixture(scope="module")
def problems(known_module, tmp_path_factory):
    """A file with one problem the model has learned, and the same with another test."""
    at = known_module.index("    total = 0.0")
    path = tmp_path_factory.mktemp("problems") / "problems.jsonl"
    records = [
        {
            "task_id": f"known/{name}",
            "prompt": known_module[:at],
            "entry_point": "total_area",
            "canonical_solution": solution or known_module[at:],
            "test": f"def check(candidate):\n    assert candidate([]) == {wanted}\n",
        }
        for name, (wanted, solution) in CASES.items()
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    return path


def arguments(model, problems, out, n):
    return [
        *("--model", str(model), "--problems", str(problems), "--out", str(out)),
        *("--n", str(n), "--k", "1", "2"),
    ]


def test_a_model_is_scored_by_what_its_programs_do(tiny_artifact, problems, tmp_path):
    """If it fails, the score says nothing about the completions that users get."""
    likeliest = ["--temperature", "0.01"]  # what is drawn else depends on the processor
    assert passk([*arguments(tiny_artifact, problems, tmp_path, 4), *likeliest]) == 0
    results = list(read_journal(tmp_path / "results.jsonl"))
    outcomes = {(r["task_id"], r["outcome"]) for r in results}
    assert outcomes == {("known/easy", "passed"), ("known/other", "failed")}
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert [entry["value"] for entry in summary["pass_at_k"].values()] == [0.5, 0.5]


def test_a_killed_run_resumes_without_losing_or_repeating_samples(
    tiny_artifact, problems, tmp_path
):
    """If it fails, hours of generation are lost or counted twice."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert passk(arguments(tiny_artifact, problems, whole, 16)) == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "evaluation.passk", *arguments(tiny_artifact, problems, killed, 16)],
        stderr=subprocess.DEVNULL,
    )
    written = killed / "written-0.jsonl"
    deadline = time.monotonic() + 60
    while not (written.exists() and written.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    assert passk(arguments(tiny_artifact, problems, killed, 16)) == 0
    assert list(read_journal(killed / "samples.jsonl")) == list(
        read_journal(whole / "samples.jsonl")
    )
    keys = [(r["task_id"], r["sample"]) for r in read_journal(killed / "results.jsonl")]
    assert len(keys) == len(set(keys)) == 2 * 16


def test_another_run_is_refused_in_the_same_folder(tiny_artifact, problems, tmp_path):
    """If it fails, two models' samples are averaged into one score."""
    assert passk(arguments(tiny_artifact, problems, tmp_path, 2)) == 0
    with pytest.raises(ConfigError, match="choose another --out"):
        passk([*arguments(tiny_artifact, problems, tmp_path, 2), "--seed", "1"])
