"""How processes that trained together end: with nobody waiting for a lock the other one holds."""

import os
import subprocess
import sys

from training_run import ROOT, free_port

PART = """
from pathlib import Path

import torch
from accelerate import Accelerator

from training.artifact.network.gpt2 import GPT2
from training.artifact.network.config import GPT2Config
from training.config import PretrainConfig
from training.step.objective import LossModule
from training.step.parallel import ReplicatedLoss


def threads_of_the_connection():
    tasks = Path("/proc/self/task").iterdir()
    return sum("gloo" in (task / "comm").read_text() for task in tasks)


accelerator = Accelerator(cpu=True)
network = GPT2(GPT2Config(vocab_size=64, n_positions=16, n_embd=8, n_layer=1, n_head=1))
module = LossModule(network, PretrainConfig())
loss = ReplicatedLoss(module, accelerator.prepare(module), accelerator)
ids = torch.randint(64, (1, 16))
accelerator.backward(loss(ids, torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool))[0])
print(threads_of_the_connection() > 0)
loss.close()
accelerator.end_training()
print(threads_of_the_connection())
"""


def test_a_closed_loss_does_not_outlive_the_connection():
    """If it fails, one run in ten on several processes hangs once everything is written."""
    group = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-c", PART],
        cwd=ROOT,
        env={**os.environ, **group, "MASTER_PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout.split() == ["True", "0"], done.stderr[-2000:]
