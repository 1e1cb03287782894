"""The mean of a run's checkpoints is a model, and says what it is."""

import dataclasses

import pytest
import torch

from training import average_checkpoints
from training.artifact.directory import load_artifact, save_artifact
from training.artifact.manifest import Manifest, TrainingRecord
from training.foundation.errors import ConfigError
from training.run.checkpoint import checkpoint_path

CARD = "# A model\n\n12 steps.\n\n## Evaluation\n\n| loss | 2.5 |\n\n## Limits\n\nMany.\n"


@pytest.fixture(scope="module")
def origin(tiny_artifact):
    return load_artifact(tiny_artifact)


@pytest.fixture
def save(tmp_path, origin):
    """Saves a checkpoint of the run ``tmp_path/run`` whose weights differ by a number."""

    def save_one(step, change=0.0, *, network=None, **record):
        path = checkpoint_path(tmp_path / "run" / "checkpoints", step)
        manifest = dataclasses.replace(
            origin.manifest,
            training=TrainingRecord(**{"data_hash": "d", "steps": step, **record}),
            evaluation={"validation_loss": 2.5},
        )
        save_artifact(
            path,
            config=network or origin.config,
            weights={name: w.round() + change for name, w in origin.weights.items()},
            tokenizer=origin.tokenizer,
            manifest=manifest,
            card=CARD,
            notice="NOTICE of the run\n",
        )
        return path

    return save_one


def average(*arguments):
    return average_checkpoints.main([str(a) for a in arguments])


def test_a_run_is_averaged(tmp_path, save, origin, capsys):
    """If it fails, an average is another model than the mean, or hides what it is."""
    for step, change in ((1, 9.0), (2, 0.5), (4, 1.0), (10, 3.0)):
        save(step, change, tokens_seen=step * 100)
    out = tmp_path / "average"
    assert average(tmp_path / "run", "--last", 3, "--out", out) == 0
    assert "after 2, 4 and 10 steps" in capsys.readouterr().out
    found = load_artifact(out)
    for name, weight in found.weights.items():
        assert torch.equal(weight, origin.weights[name].round() + 1.5), name
    training = found.manifest.training
    assert (training.averaged_steps, training.tokens_seen) == ((2, 4, 10), 1000)
    assert found.manifest.evaluation == {}, "another model's figures"
    card = (out / "README.md").read_text()
    assert "mean of those after 2, 4 and 10 steps" in card
    assert "2.5" not in card
    assert card.startswith("# A model\n\n12 steps.\n")
    assert card.endswith("## Limits\n\nMany.\n")
    assert (out / "NOTICE").read_text() == "NOTICE of the run\n"


def test_named_checkpoints_are_averaged_in_any_order(tmp_path, save):
    paths = [save(3, 3.0), save(1, 1.0), save(2, 50.0)]
    average(paths[0], paths[1], paths[0], "--out", tmp_path / "average")
    assert load_artifact(tmp_path / "average").manifest.training.averaged_steps == (1, 3)
    average(paths[0], paths[2], "--out", tmp_path / "average")  # an older average is replaced
    assert load_artifact(tmp_path / "average").manifest.training.averaged_steps == (2, 3)


def test_one_checkpoint_has_no_average(tmp_path, save):
    save(5)
    with pytest.raises(ConfigError, match="at least two checkpoints"):
        average(tmp_path / "run", "--out", tmp_path / "average")


def test_a_folder_without_checkpoints_is_no_run(tmp_path):
    with pytest.raises(ConfigError, match="no run with checkpoints"):
        average(tmp_path, "--out", tmp_path / "average")


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("the corpus", {"data_hash": "other"}),
        ("the shards' hash", {"shards_hash": "other"}),
        ("the seed", {"seed": 1}),
        ("start_from", {"config": {"pretrain": {"start_from": "bundled"}}}),
    ],
)
def test_checkpoints_of_other_runs_are_refused(tmp_path, save, name, record):
    """If it fails, NOTICE and licence of an average leave out what half of it was trained on."""
    save(1, **record)
    save(2)
    with pytest.raises(ConfigError, match=f"not checkpoints of one run: {name} differs"):
        average(tmp_path / "run", "--out", tmp_path / "average")
    assert not (tmp_path / "average").exists()


def test_other_heads_are_another_network(tmp_path, save, origin):
    """Heads leave no trace in the weights' shapes."""
    save(1, network=dataclasses.replace(origin.config, n_head=2))
    save(2)
    with pytest.raises(ConfigError, match="n_head differs"):
        average(tmp_path / "run", "--out", tmp_path / "average")


def test_no_other_model_is_replaced(tmp_path, save):
    """If it fails, --out RUN/model costs the model of a finished run."""
    paths = [save(1), save(2)]
    model = paths[0].rename(tmp_path / "run" / "model")
    before = (model / "parrotlet.json").read_bytes()
    with pytest.raises(ConfigError, match="no average of checkpoints"):
        average(model, paths[1], "--out", model)
    assert (model / "parrotlet.json").read_bytes() == before


def test_old_manifests_are_of_no_average():
    assert Manifest(context_tokens=2).training.averaged_steps == ()
