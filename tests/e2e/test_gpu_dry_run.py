"""What GPUs run, on a CPU: the report by its command, and layers made by the code generator."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from training_run import Forked, curve, finish

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
COMMAND = Path(__file__).parents[1] / "gpu" / "gpu_report.py"
PARTS = ["tests", "pass@k"]


def test_the_command_writes_lines_and_a_table(tmp_path):
    """If it fails, the first minute on a rented GPU ends in a traceback."""
    out = tmp_path / "report.jsonl"
    words = ["--device", "cpu", "--tiny", "--out", out, "--only", *PARTS]
    command = [sys.executable, COMMAND, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["part"] for row in rows} == set(PARTS)
    assert [row["value"] for row in rows if row.get("figure") == "passed"] == [1]
    assert "samples/s" in done.stdout.splitlines()[-2]


def test_generated_code_follows_the_curve(tiny_config, tmp_path):
    """If it fails, ``pretrain.compile=on`` trains another model than without, or not at all.

    Where code cannot be generated (a compiler or Python's headers are missing) it says so.
    """
    curves = []
    for name in ("on", "off"):
        run = tmp_path / name
        settings = ["pretrain.dtype=float32", "model.n_layer=1", "pretrain.stop_after_steps=2"]
        words = [f"paths.run={run}", f"pretrain.compile={name}", *settings]
        _, err = finish(Forked(tiny_config, *words))
        start = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
        assert start["is_compiled"] is (name == "on" and "without compiled layers" not in err)
        curves.append(list(curve(run).values()))
    assert curves[0] == pytest.approx(curves[1], rel=1e-5)
