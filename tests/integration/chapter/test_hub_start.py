"""Going on elsewhere: what is published is enough to start or resume from, by name and revision."""

import json
import shutil

import pytest
import torch
from training_run import Forked, assert_same, curve, finish

from training.artifact.directory import RUN_CONFIG_FILE, load_artifact
from training.config import RunConfig
from training.foundation.config_schema import load_toml
from training.publish.outbox import Outbox

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

REPO = "tester/elsewhere"
PUBLISH = (f"publish.repo={REPO}", "publish.branch=first", "publish.wait_s=60")


def publish(*arguments, code=0):
    out, err = finish(Forked(*arguments, module="training.publish.__main__"), code)
    return out if code == 0 else err


def test_a_run_goes_on_elsewhere_from_its_branch(hub, uninterrupted, config_file, tmp_path):
    """A branch with the training state resumes to the very same weights; main starts anew."""
    run, other = tmp_path / "run", tmp_path / "other"
    stop = ("publish.training_state=true", "pretrain.stop_after_steps=8")
    finish(Forked(config_file, f"paths.run={run}", *PUBLISH, *stop))
    if Outbox(run).commits():
        publish("run", run)
    branch = hub.model(REPO).find("first")
    assert {"training_state.json", "training_state.safetensors"} < branch.tree.keys()
    shutil.rmtree(run)  # that machine is gone
    resume = f"pretrain.resume_from={REPO}@first"
    finish(Forked(config_file, f"paths.run={other}", resume))
    assert min(curve(other)) == 9
    wanted = load_artifact(uninterrupted / "model").weights
    for name, weight in load_artifact(other / "model").weights.items():
        assert torch.equal(weight, wanted[name]), name
    recorded = json.loads((other / "config.json").read_text())["pretrain"]["resume_from"]
    assert recorded == f"{REPO}@{branch.oid}"
    publish("merge", "first", "--repo", REPO)
    assert_model_of_branch(hub.model(REPO))


def test_a_finished_run_is_trained_further_elsewhere(hub, config_file, tmp_path):
    """If it fails, the branch of a finished run is refused, though it was published as advised."""
    run, other = tmp_path / "run", tmp_path / "other"
    finish(Forked(config_file, f"paths.run={run}", *PUBLISH, "publish.training_state=true"))
    assert_model_of_branch(hub.model(REPO))
    resume = f"pretrain.resume_from={REPO}@first"
    finish(Forked(config_file, f"paths.run={other}", resume, "pretrain.steps=14"))
    assert list(curve(other)) == [13, 14]


def assert_model_of_branch(repository):
    """Main has all of the branch but the training state."""
    branch = repository.find("first").tree
    state = {name for name in branch if name.startswith(("training_state", "data_position"))}
    assert {"training_state.json", "training_state.safetensors"} <= state
    main = {name: file for name, file in branch.items() if name not in state}
    assert repository.find("main").tree == main


def test_a_fresh_model_is_a_starting_point(hub, config_file, uninterrupted, tmp_path):
    """The chapter pushes tokenizer and untrained model first; training from it is the same run."""
    tokenizer = load_toml(RunConfig, config_file).paths.tokenizer
    assert publish("tokenizer", tokenizer, "--repo", f"{REPO}-tokenizer").endswith("(private)\n")
    files = hub.model(f"{REPO}-tokenizer").find("main").tree.keys()
    assert files == {"tokenizer.json", "tokenizer_config.json", "README.md"}
    publish("fresh-model", config_file, f"paths.run={tmp_path / 'private'}", "--repo", REPO)
    repository = hub.model(REPO)
    assert "parrotlet.json" in repository.find("main").tree
    text = hub.content(repository, RUN_CONFIG_FILE).decode()
    assert str(tmp_path) not in text
    assert "n_embd = 32" in text
    run = tmp_path / "run"
    start = f"pretrain.start_from={REPO}@main"
    finish(Forked(config_file, f"paths.run={run}", start, "pretrain.stop_after_steps=8"))
    commit = repository.find("main").oid
    publish("fresh-model", config_file, "name=other", "pretrain.seed=9", "--repo", REPO)
    assert repository.find("main").oid != commit, "the branch has moved on"
    finish(Forked(config_file, f"paths.run={run}", start))
    assert_same(run, uninterrupted)
    recorded = json.loads((run / "config.json").read_text())["pretrain"]["start_from"]
    assert recorded == f"{REPO}@{commit}"
    shown, _ = finish(
        Forked(
            *("inspect", "x = 1", "--tokenizer", f"{REPO}-tokenizer", "--compare-with", REPO),
            module="training.train_tokenizer",
        )
    )
    assert f"{REPO}-tokenizer: BPE, 512 tokens" in shown


def test_what_cannot_be_gone_on_from_is_one_sentence(hub, config_file, uninterrupted, tmp_path):
    arguments = (config_file, f"paths.run={tmp_path / 'run'}")
    _, err = finish(Forked(*arguments, "pretrain.start_from=tester/none"), 3)
    assert "the Hub answers 404 for tester/none" in err
    _, err = finish(Forked(*arguments, f"pretrain.resume_from={uninterrupted / 'model'}"), 3)
    assert "has no training state to resume from" in err
    assert "Traceback" not in err
