"""Runs whose processes hold a part of the weights each, beside one that holds all."""

import functools
import signal

import pytest
import torch
from training_run import Forked, assert_same, curve, finish, processes_of, signal_after

from training.artifact.directory import load_artifact
from training.run.checkpoint import list_checkpoints

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]  # several runs each

SHARDED = "pretrain.shard_model=true"


def test_a_sharded_run_follows_the_curve_of_one_process_however_many_there_are(
    uninterrupted, config_file, tmp_path
):
    """If it fails, the largest models are trained wrong where nobody can afford to look twice.

    Nor could a run on rented machines change their number. Gradients are summed in another order,
    and Muon works on gathered rows: rounding only.
    """
    run, one = tmp_path / "run", tmp_path / "one"
    finish(Forked(config_file, f"paths.run={one}", "pretrain.stop_after_steps=4"))
    sharded = [SHARDED, "pretrain.gradient_checkpointing=true", "pretrain.micro_batch_blocks=1"]
    for steps, processes in ((2, 2), (4, 4)):
        stop = f"pretrain.stop_after_steps={steps}"
        finish(Forked(config_file, f"paths.run={run}", stop, *sharded, processes=processes))
        newest = list_checkpoints(run / "checkpoints")[-1]
        assert len(list(newest.glob("training_state*.safetensors"))) == processes
    wanted = load_artifact(list_checkpoints(one / "checkpoints")[-1]).weights
    for name, weight in load_artifact(newest).weights.items():
        is_close = torch.isclose(weight, wanted[name], rtol=0.02, atol=2e-3)
        # AdamW takes a full step for any gradient, also for one that is all rounding.
        assert is_close.float().mean() > 0.999, name
    finish(Forked(config_file, f"paths.run={run}"))
    assert processes_of(run) == [2, 4, 1]
    assert list(curve(run)) == list(curve(uninterrupted))
    assert list(curve(run).values()) == pytest.approx(list(curve(uninterrupted).values()), rel=2e-4)


def test_an_interrupted_sharded_run_ends_like_the_uninterrupted(config_file, tmp_path):
    """One of two processes is asked to stop and tells the other; then a shard is lost."""
    run, whole = tmp_path / "run", tmp_path / "whole"
    settings = [SHARDED, "model.n_layer=1", "pretrain.steps=6", "pretrain.save_every_steps=2"]
    finish(Forked(config_file, f"paths.run={whole}", *settings, processes=2))
    interruption = functools.partial(signal_after, 3, signal.SIGTERM)
    arguments = [config_file, f"paths.run={run}", *settings]
    stopped = Forked(*arguments, processes=2, change=interruption)
    stopped.communicate(timeout=110)
    assert stopped.returncode != 0
    checkpoints = list_checkpoints(run / "checkpoints")
    assert [path.name for path in checkpoints] == ["step-00000002", "step-00000003"]
    (checkpoints[-1] / "training_state-00001-of-00002.safetensors").unlink()
    _, err = finish(Forked(*arguments, processes=2))
    assert "is damaged" in err
    assert processes_of(run) == [2, 2]
    assert_same(run, whole)
