"""Exact resume, hard: a short run is killed again and again at random moments.

Run: ``python tests/benchmarks/training/random_kills.py [--kills 20] [--seed 0]``. One run goes
undisturbed, another is killed (``kill -9``) at random times and started again until it is done.
Prints how many kills hit, and whether losses and weights are equal bit for bit; exit code 1 if they
are not.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[3]
STEPS = 600
SETTINGS = """
extends = '{debug}'
[paths]
corpus = '{folder}/corpus'
tokenizer = '{folder}/tokenizer'
shards = '{folder}/shards'
[shards]
block_tokens = 64
[model]
n_embd = 32
n_layer = 2
n_head = 2
[pretrain]
steps = {steps}
batch_blocks = 4
micro_batch_blocks = 2
validate_every_steps = 50
validation_blocks = 4
save_every_steps = 5
dtype = 'float32'
loss_below = 9.0
tracker = 'none'
"""


def run_stage(*arguments):
    command = [sys.executable, "-m", *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def start(config, run):
    command = [sys.executable, "training/pretrain.py", str(config), f"paths.run={run}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    with (config.parent / "stderr.log").open("a") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)


def losses(run):
    """Returns the loss of each step, as it was run last."""
    found = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # half a line, left by a kill
        if event["event"] == "step":
            found[event["step"]] = event["loss"]
    return found


def killed_run(config, run, n_kills, chance):
    """Returns how many of the kills hit a run that was under way."""
    hits = 0
    for _ in range(n_kills):
        process = start(config, run)
        wait_for_a_step(process, run)
        time.sleep(chance.uniform(0.0, 0.6))
        hits += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert start(config, run).wait() == 0
    return hits


def wait_for_a_step(process, run):
    """Waits for a line of a step; every start writes one of its own before."""
    before = n_steps(run)
    while process.poll() is None and n_steps(run) == before:
        time.sleep(0.01)


def n_steps(run):
    metrics = run / "metrics.jsonl"
    return metrics.read_text().count('"event": "step"') if metrics.exists() else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config, debug = folder / "run.toml", ROOT / "training/configs/debug.toml"
        config.write_text(SETTINGS.format(debug=debug, folder=folder, steps=STEPS))
        run_stage(
            "training.corpus", "training/configs/corpus-debug.toml", f"out={folder / 'corpus'}"
        )
        run_stage("training.train_tokenizer", config)
        run_stage("training.prepare", config)
        whole, broken = folder / "whole", folder / "broken"
        assert start(config, whole).wait() == 0, (folder / "stderr.log").read_text()[-2000:]
        hits = killed_run(config, broken, options.kills, random.Random(options.seed))
        first, second = (load_file(run / "model/model.safetensors") for run in (whole, broken))
        same_weights = all(torch.equal(first[key], second[key]) for key in first)
        same_losses = losses(whole) == losses(broken)
    print(f"{STEPS} steps, {hits} of {options.kills} kills hit a running training")
    print(f"losses equal bit for bit: {same_losses}; weights: {same_weights}")
    sys.exit(0 if same_losses and same_weights and hits == options.kills else 1)


if __name__ == "__main__":
    main()
