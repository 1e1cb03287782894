"""A training run as a user starts it: the documented command in a process, and what it wrote."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def launch(config, *overrides, processes=1, largest_file=None, launcher=None):
    """Starts the documented command; no file may grow beyond ``largest_file`` bytes."""
    command = [sys.executable, "-m", "accelerate.commands.launch"]
    many = ["--multi_gpu", "--num_processes", str(processes)]  # without GPUs: of the CPU
    command += launcher or (["--cpu", "--num_processes", "1"] if processes == 1 else many)
    command += ["--main_process_port", str(free_port())]
    command += [str(ROOT / "training" / "pretrain.py"), str(config), *overrides]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    if largest_file is not None:
        command = ["prlimit", f"--fsize={largest_file}", *command]
    return subprocess.Popen(
        command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finish(process, code=0):
    out, err = process.communicate(timeout=110)
    assert process.returncode == code, err[-2000:]
    return out, err


def trainer(process):
    """Returns the id of the process that trains, which the launcher has started."""
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    return int(Path(children).read_text().split()[0])


def curve(run):
    """Returns the loss of each step; a step run twice counts once, as it was run last."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    return {e["step"]: e["loss"] for e in events if e["event"] == "step"}


def processes_of(run):
    """Returns how many processes trained, start by start."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [e["processes"] for e in map(json.loads, lines) if e["event"] == "start"]
