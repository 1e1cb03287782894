"""Runs whose processes hold a part of the weights each, beside one that holds all."""

import pytest
import torch
from training_run import Forked, curve, finish, processes_of

from training.artifact.directory import load_artifact
from training.run.checkpoint import list_checkpoints

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]  # several runs each

SHARDED = "pretrain.shard_model=true"


def test_sharded_processes_follow_the_curve_of_one(config_file, tmp_path):
    """If it fails, the largest models are trained wrong where nobody can afford to look twice.

    Gradients are summed in another order, and Muon works on gathered rows: rounding only.
    """
    one, many = tmp_path / "one", tmp_path / "many"
    stop = "pretrain.stop_after_steps=4"
    finish(Forked(config_file, f"paths.run={one}", stop))
    settings = [SHARDED, "pretrain.gradient_checkpointing=true", "pretrain.micro_batch_blocks=1"]
    finish(Forked(config_file, f"paths.run={many}", stop, *settings, processes=4))
    assert processes_of(many) == [4]
    assert list(curve(one)) == list(curve(many)) == [1, 2, 3, 4]
    assert list(curve(many).values()) == pytest.approx(list(curve(one).values()), rel=2e-4)
    found, wanted = (list_checkpoints(run / "checkpoints")[-1] for run in (many, one))
    weights = load_artifact(wanted).weights
    for name, weight in load_artifact(found).weights.items():
        torch.testing.assert_close(weight, weights[name], rtol=0.02, atol=2e-3)


def test_a_sharded_run_goes_on_however_many_processes_there_are(
    uninterrupted,
    config_file,
    tmp_path,
):
    """If it fails, a run on rented machines can never change their number."""
    run = tmp_path / "run"
    arguments = [config_file, f"paths.run={run}"]
    for steps, processes, settings in (
        (3, 2, [SHARDED]),
        (6, 4, [SHARDED]),
        (99, 1, []),
    ):
        stop = f"pretrain.stop_after_steps={steps}"
        finish(Forked(*arguments, stop, *settings, processes=processes))
        newest = list_checkpoints(run / "checkpoints")[-1]
        n_files = len(list(newest.glob("training_state*.safetensors")))
        assert n_files == (processes if settings else 1)
    assert list(curve(run).values()) == pytest.approx(list(curve(uninterrupted).values()), rel=2e-4)


def test_a_lost_shard_gives_way_to_the_checkpoint_before(config_file, tmp_path):
    run = tmp_path / "run"
    stop = "pretrain.stop_after_steps=8"
    finish(Forked(config_file, f"paths.run={run}", SHARDED, stop, processes=2))
    newest = list_checkpoints(run / "checkpoints")[-1]
    (newest / "training_state-00001-of-00002.safetensors").unlink()
    _, err = finish(Forked(config_file, f"paths.run={run}", SHARDED, processes=2))
    assert "is damaged" in err
    assert load_artifact(run / "model").manifest.training.steps == 12
