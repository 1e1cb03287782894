"""How processes that trained together end: with nobody waiting for what another one holds."""

import errno
import functools
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from training_run import ROOT, Forked, finish, free_port

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


def start_without_login():
    raise RuntimeError("api_key not configured (no-tty)")


def fail_main_process(moment):
    """Lets the main process of a run fail where the others do nothing."""
    from training.foundation.errors import ConfigError, CorpusError
    from training.run.run_files import RunFiles
    from training.run.tracking import trackers
    from training.shards.blocks import BlockReader

    errors = {
        "config": OSError(errno.ENOSPC, "No space left on device", "config.json"),
        "position": CorpusError("the checkpoint lacks its place in the data"),
        "model": ConfigError("the model's folder holds something else"),
    }
    owners = {"config": (RunFiles, "write_config"), "model": (RunFiles, "save_model")}
    owners["position"] = (BlockReader, "load_position")
    if os.environ["RANK"] != "0":
        return
    if moment == "tracker":
        trackers._make_tracker = lambda *_: SimpleNamespace(start=start_without_login)
        return

    def fail(*_):
        raise errors[moment]

    setattr(*owners[moment], fail)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("moment", "code", "sentence"),
    [
        ("tracker", 3, "the tracker tensorboard does not start (api_key not configured (no-tty))"),
        ("config", 3, "config.json: No space left on device; free some disk space"),
        ("position", 3, "the checkpoint lacks its place in the data"),
        ("model", 2, "the model's folder holds something else"),
    ],
)
def test_what_only_the_main_process_meets_ends_all_at_once(
    config_file, tmp_path, moment, code, sentence
):
    """If it fails, the other GPUs wait for minutes before anybody reads what is wrong."""
    settings = [f"paths.run={tmp_path / 'run'}", "pretrain.steps=2", "pretrain.tracker=tensorboard"]
    if moment == "position":
        finish(Forked(config_file, *settings, "pretrain.stop_after_steps=1", processes=2))
    change = functools.partial(fail_main_process, moment)
    _, err = finish(Forked(config_file, *settings, processes=2, change=change), code=code)
    errors = sorted(line for line in err.splitlines() if line.startswith("error: "))
    assert errors[0] == "error: another training process has failed; see its message"
    assert errors[1].startswith(f"error: {sentence}")
    assert "Traceback" not in err


def note_who_waits(folder):
    """Lets the main process note who is left while it waits for the Hub."""
    import torch

    from training.publish.publisher import Publisher

    def finish_alone(*_):
        other = Path("/proc", (folder / "other").read_text())
        deadline = time.monotonic() + 30
        while other.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        is_connected = torch.distributed.is_initialized()
        (folder / "found").write_text(f"waiting {other.exists()}, connected {is_connected}")

    if os.environ["RANK"] == "0":
        Publisher.finish = finish_alone
    else:
        (folder / "other").write_text(str(os.getpid()))


@pytest.mark.integration
def test_only_the_main_process_waits_for_the_hub(config_file, tmp_path):
    """If it fails, the other GPUs wait beyond NCCL's limit and end a run that has succeeded."""
    settings = [f"paths.run={tmp_path / 'run'}", "pretrain.steps=1"]
    change = functools.partial(note_who_waits, tmp_path)
    finish(Forked(config_file, *settings, processes=2, change=change))
    assert (tmp_path / "found").read_text() == "waiting False, connected False"
