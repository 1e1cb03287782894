"""The training command on a GPU: precisions, resume and sharding, beside the same run on a CPU."""

import json
import os
import subprocess
import sys

import pytest
from training_run import ROOT, Forked, curve, finish, free_port

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(300)]
EXACT_GRADIENT = "pretrain.rare_token_slices=1"


@pytest.fixture(scope="module")
def cpu_curve(tiny_config, tmp_path_factory):
    """The losses of the run in float32 on a CPU."""
    run = tmp_path_factory.mktemp("cpu") / "run"
    finish(Forked(tiny_config, f"paths.run={run}", "pretrain.dtype=float32", EXACT_GRADIENT))
    return curve(run)


def train(config, run, *settings, **environment):
    """Runs the command as a launcher does, on the first GPU."""
    words = [f"paths.run={run}", EXACT_GRADIENT, *settings]
    done = subprocess.run(
        [sys.executable, str(ROOT / "training/pretrain.py"), str(config), *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = (run / "metrics.jsonl").read_text().splitlines()
    start = next(e for e in map(json.loads, lines) if e["event"] == "start")
    assert start["device"] == "cuda"
    return start


@pytest.mark.usefixtures("cuda")
def test_bfloat16_follows_the_cpu_and_a_resumed_run_the_uninterrupted(
    tiny_config, cpu_curve, tmp_path
):
    """Compiled, as by default. If it fails, a night on a rented GPU is another run than planned."""
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    start = train(tiny_config, whole, "pretrain.dtype=bfloat16")
    assert (start["dtype"], start["is_compiled"]) == ("bfloat16", True)
    assert list(curve(whole).values()) == pytest.approx(list(cpu_curve.values()), rel=0.02)
    train(tiny_config, resumed, "pretrain.dtype=bfloat16", "pretrain.stop_after_steps=7")
    train(tiny_config, resumed, "pretrain.dtype=bfloat16")
    assert list(curve(resumed).values()) == pytest.approx(list(curve(whole).values()), rel=1e-3)


@pytest.mark.usefixtures("cuda")
def test_float16_by_the_launcher_follows_the_cpu(tiny_config, cpu_curve, tmp_path):
    """What ``accelerate config`` with fp16 gives on a GPU."""
    run = tmp_path / "run"
    start = train(tiny_config, run, "pretrain.compile=off", ACCELERATE_MIXED_PRECISION="fp16")
    assert start["dtype"] == "float16"
    assert list(curve(run).values()) == pytest.approx(list(cpu_curve.values()), rel=0.02)


@pytest.mark.usefixtures("cuda")
def test_fsdp_on_one_device_follows_the_cpu(tiny_config, cpu_curve, tmp_path):
    run = tmp_path / "run"
    group = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
    settings = ("pretrain.dtype=float32", "pretrain.shard_model=true", "pretrain.compile=off")
    start = train(tiny_config, run, *settings, MASTER_PORT=str(free_port()), **group)
    assert start["is_sharded"] is True
    assert list(curve(run).values()) == pytest.approx(list(cpu_curve.values()), rel=0.01)
