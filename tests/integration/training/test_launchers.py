"""Launcher files and answers to ``accelerate config``: trained as asked, or refused."""

import functools
import json
import os

import pytest
from training_run import Forked, curve, finish

pytestmark = pytest.mark.integration


def set_environment(**values):
    """Gives a process of a run what a launcher would."""
    os.environ.update(values)


def norms(run):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [e["gradient_norm"] for e in map(json.loads, lines) if e["event"] == "step"]


def validations(run):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    found = [e for e in map(json.loads, lines) if e["event"] == "validation"]
    return [e["validation_bits_per_byte"] for e in found]


def start_of(run):
    return json.loads((run / "metrics.jsonl").read_text().splitlines()[0])


def test_float16_and_accumulation_by_the_launcher_train_like_float32(
    uninterrupted, tiny_config, tmp_path
):
    """If it fails, ``accelerate config`` with fp16 trains nonsense: gradients stay scaled.

    The scale of float16 is applied and removed for real, by the code that a GPU runs; Accelerate
    neither scales nor divides the loss a second time.
    """
    run = tmp_path / "run"
    answers = {
        "ACCELERATE_MIXED_PRECISION": "fp16",
        "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4",
    }
    finish(
        Forked(
            tiny_config,
            f"paths.run={run}",
            change=functools.partial(set_environment, **answers),
        )
    )
    assert start_of(run)["dtype"] == "float16"
    assert list(curve(run).values()) == pytest.approx(list(curve(uninterrupted).values()), rel=0.01)
    assert norms(run) == pytest.approx(norms(uninterrupted), rel=0.1)
    settings = json.loads((run / "config.json").read_text())["pretrain"]
    assert (settings["dtype"], settings["micro_batch_blocks"]) == ("float16", 2)


def test_fsdp_and_dynamo_by_the_launcher_follow_the_curve(uninterrupted, config_file, tmp_path):
    """If it fails, these answers are ignored, or sharded and compiled layers learn otherwise."""
    run = tmp_path / "run"
    answers = {
        "ACCELERATE_USE_FSDP": "true",
        "FSDP_VERSION": "2",
        "FSDP_RESHARD_AFTER_FORWARD": "false",
        "ACCELERATE_DYNAMO_BACKEND": "AOT_EAGER",
    }
    change = functools.partial(set_environment, **answers)
    finish(Forked(config_file, f"paths.run={run}", processes=2, change=change))
    assert start_of(run)["is_sharded"] is True
    assert start_of(run)["is_compiled"] is True
    assert validations(run) == pytest.approx(validations(uninterrupted), rel=2e-4), "shared by two"
    assert list(curve(run).values()) == pytest.approx(list(curve(uninterrupted).values()), rel=2e-4)


def test_what_the_launcher_cannot_have_is_one_sentence(config_file, tmp_path):
    change = functools.partial(set_environment, ACCELERATE_MIXED_PRECISION="fp8")
    _, err = finish(Forked(config_file, f"paths.run={tmp_path / 'run'}", change=change), code=2)
    assert err.splitlines()[-1].startswith("error: the launcher asks for mixed_precision fp8")
    assert "Traceback" not in err
