"""The GPU report by its command, on a CPU: JSON lines, a table, an exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
