"""The documented first run, word for word: a corpus, a tokenizer, shards, a model, ghost text."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lsp_client import Client, place

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
COMMANDS = [
    "parrotlet corpus training/configs/corpus-debug.toml",
    "parrotlet tokenizer training/configs/debug.toml",
    "parrotlet prepare training/configs/debug.toml",
    "accelerate launch training/pretrain.py training/configs/debug.toml",
]
MODEL = "runs/debug/run/model"
LIMIT_S = 180  # for everything, on two cores with nothing else to do

# Beginnings that are frequent in the debug corpus, and how they continue.
KNOWN = {
    "import unittest\n\n\nclass ParserTest(unittest.": "TestCase",
    "class Parser:\n    def __init__(": "self",
    "def check(value):\n    if value is ": "None:",
    "try:\n    import json\nexcept ": "Error",
}

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """Runs the commands in a folder with the checkout's training; returns it, and the seconds."""
    folder = tmp_path_factory.mktemp("first-run")
    (folder / "training").symlink_to(ROOT / "training")
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    environment |= {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": ""}
    seconds = {}
    for command in COMMANDS:
        started = time.monotonic()
        run = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, f"{command}\n{run.stderr[-3000:]}"
        seconds[command] = time.monotonic() - started
    return folder, seconds


def test_a_freshly_trained_model_completes_what_it_learned(first_run, capsys):
    """If it fails, the first thing that a newcomer tries ends in an error, or teaches nothing."""
    folder, seconds = first_run
    started = time.monotonic()
    command = (BIN / "parrotlet-server",)
    with Client("--model", folder / MODEL, command=command) as client:
        client.initialize()
        for number, (text, wanted) in enumerate(KNOWN.items()):
            uri = f"file:///first_run_{number}.py"
            client.open(uri, text)
            line, column = place(text, text)
            shown = [item["insertText"] for item in client.items(uri, line, column, triggerKind=1)]
            assert any(wanted in ghost for ghost in shown), (text, shown)
        assert client.leave() == 0
    seconds["parrotlet-server: ghost text"] = time.monotonic() - started
    with capsys.disabled():
        for what, s in seconds.items():
            sys.stdout.write(f"\n{s:6.1f} s  {what}")
        sys.stdout.write(f"\n{sum(seconds.values()):6.1f} s  together, of {LIMIT_S}\n")


def test_reports_are_written(first_run):
    """If it fails, the first run leaves nothing to look at."""
    folder, _ = first_run
    for page in ("corpus/debug/report.html", "debug/tokenizer/tokenizer-report.html"):
        assert "<svg" in (folder / "runs" / page).read_text()
    assert "Validation loss" in (folder / "runs/debug/run/report.html").read_text()
