"""A run that is resumed with other settings or damaged files is refused, and nothing is lost."""

import shutil

import pytest
from training_run import Forked, finish

from training.run.checkpoint import list_checkpoints

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def run(tiny_config, tmp_path_factory):
    """A run of four steps with two checkpoints."""
    path = tmp_path_factory.mktemp("resume") / "run"
    settings = ("pretrain.steps=4", "pretrain.save_every_steps=2", f"paths.run={path}")
    finish(Forked(tiny_config, *settings))
    return path


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run, tmp_path / "run")


def resume(tiny_config, run, *overrides, **limits):
    """Returns the exit code and the one sentence."""
    settings = ("pretrain.steps=6", "pretrain.save_every_steps=2", f"paths.run={run}")
    process = Forked(tiny_config, *settings, *overrides, **limits)
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    (sentence,) = [line for line in err.splitlines() if line.startswith("error: ")] or [""]
    return process.returncode, sentence


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.n_head=4", "n_head is 2, but the config says 4"),
        ("model.n_embd=64", "n_embd is 32, but the config says 64"),
        ("optim.matrices=adamw", "another optimiser than optim.matrices = 'adamw'"),
    ],
)
def test_another_network_or_optimiser_is_refused(tiny_config, copy, override, message):
    """If it fails, weights are mixed with another network's, or a traceback ends the run."""
    before = sorted(copy.rglob("*"))
    code, sentence = resume(tiny_config, copy, override)
    assert (code, message in sentence) == (2, True), sentence
    assert sorted(copy.rglob("*")) == before


def test_if_no_checkpoint_is_intact_the_run_does_not_start_again(tiny_config, copy):
    for path in list_checkpoints(copy / "checkpoints"):
        (path / "training_state.json").write_text("[" * 99_999)
    code, sentence = resume(tiny_config, copy)
    assert (code, "no checkpoint" in sentence) == (3, True), sentence
    assert len(list_checkpoints(copy / "checkpoints")) == 2


def test_what_users_keep_among_checkpoints_stays(tiny_config, copy):
    """If it fails, notes beside a checkpoint are removed with it."""
    (copy / "checkpoints" / "step-notes").mkdir()
    oldest = list_checkpoints(copy / "checkpoints")[0]
    (oldest / "notes.txt").write_text("the best so far")
    assert resume(tiny_config, copy, "pretrain.keep_checkpoints=1") == (0, "")
    assert (oldest / "notes.txt").read_text() == "the best so far"
    assert (copy / "checkpoints" / "step-notes").is_dir()
