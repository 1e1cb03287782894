"""A run that is resumed with other settings or damaged files is refused, and nothing is lost."""

import functools
import json
import os
import shutil

import pytest
from training_run import Forked, curve, finish

from training.artifact.directory import add_file, add_metrics, load_artifact
from training.artifact.manifest import MEMORY_FILE
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
    """Returns the exit code and the one sentence, of however many processes."""
    settings = ("pretrain.steps=6", "pretrain.save_every_steps=2", f"paths.run={run}")
    process = Forked(tiny_config, *settings, *overrides, **limits)
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    (sentence,) = {line for line in err.splitlines() if line.startswith("error: ")} or {""}
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


def test_a_model_to_start_from_is_refused_where_a_run_already_is(tiny_config, copy):
    """If it fails, nothing is trained, and the finished model says that it went on from itself."""
    before = {path: path.stat().st_mtime_ns for path in sorted(copy.rglob("*"))}
    code, sentence = resume(tiny_config, copy, f"pretrain.start_from={copy / 'model'}")
    assert (code, "started from fresh weights" in sentence) == (2, True), sentence
    code, sentence = resume(tiny_config, copy, "pretrain.first_block=8")
    assert (code, "pretrain.first_block=0" in sentence) == (2, True), sentence
    assert {path: path.stat().st_mtime_ns for path in sorted(copy.rglob("*"))} == before


def test_a_run_that_started_from_a_model_resumes_wherever_that_model_is_now(
    tiny_config, copy, tmp_path
):
    """If it fails, a training is lost because a folder was renamed."""
    other, link = tmp_path / "other", tmp_path / "link"
    stop = "pretrain.stop_after_steps=2"
    model = shutil.copytree(copy / "model", tmp_path / "model")
    assert resume(tiny_config, other, f"pretrain.start_from={model}", stop) == (0, "")
    code, sentence = resume(tiny_config, other)
    assert (code, f"started from {model}" in sentence) == (2, True), sentence
    link.symlink_to(model)
    stop = "pretrain.stop_after_steps=3"
    assert resume(tiny_config, other, f"pretrain.start_from={link}", stop) == (0, "")
    moved = model.rename(tmp_path / "moved")
    assert resume(tiny_config, other, f"pretrain.start_from={moved}") == (0, "")
    assert max(curve(other)) == 6
    code, sentence = resume(tiny_config, other, f"pretrain.start_from={other / 'model'}")
    assert (code, "another paths.run" in sentence) == (2, True), sentence


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


def test_a_stop_before_the_step_that_is_reached_trains_no_further(tiny_config, copy):
    """If it fails, a run that should pause trains to its end."""
    newest = list_checkpoints(copy / "checkpoints")[-1] / "training_state.json"
    before = newest.read_text()
    assert resume(tiny_config, copy, "pretrain.stop_after_steps=3") == (0, "")
    assert max(curve(copy)) == 4
    assert newest.read_text() == before
    assert resume(tiny_config, copy, "pretrain.stop_after_steps=5") == (0, "")
    assert max(curve(copy)) == 5


def test_what_a_kill_left_is_removed_when_the_run_goes_on(tiny_config, copy):
    """If it fails, each kill takes a checkpoint's size of the disk for good."""
    checkpoints = copy / "checkpoints"
    left = [checkpoints / ".unfinished-00000006", checkpoints / ".step-00000006.new-0abc_def"]
    left.append(copy / ".model.new-0abc_def")
    for folder in left:
        folder.mkdir()
        (folder / "training_state-00000-of-00002.safetensors").write_bytes(b"of two processes")
    assert resume(tiny_config, copy) == (0, "")
    assert not any(folder.exists() for folder in left)
    assert [path.name for path in checkpoints.glob(".*")] == []


def test_a_finished_run_that_is_run_again_keeps_what_was_added(tiny_config, copy):
    """If it fails, an index or a gate of hours is gone after a command that changed nothing."""
    model = copy / "model"
    add_file(model, MEMORY_FILE, b"{}")
    add_metrics(model, {"confidence_slope": 0.5})
    assert resume(tiny_config, copy, "pretrain.steps=4") == (0, "")
    artifact = load_artifact(model)
    assert artifact.memory_gate == {}
    assert artifact.manifest.evaluation["confidence_slope"] == 0.5
    assert "validation_loss" in artifact.manifest.evaluation
    assert resume(tiny_config, copy) == (0, "")  # two steps more: other weights
    assert load_artifact(model).memory_gate is None


def enter_machine(folder):
    """Gives a process the disk of a machine of its own."""
    os.chdir(folder / os.environ["RANK"])


@pytest.mark.parametrize("damage", ["no checkpoint", "an older one"])
def test_machines_that_do_not_share_the_folder_are_refused(tiny_config, run, tmp_path, damage):
    """If it fails, machines with other weights train together, and hang at the end."""
    for rank in "01":
        shutil.copytree(run, tmp_path / rank / "run")
    theirs = tmp_path / "1" / "run" / "checkpoints"
    if damage == "no checkpoint":
        shutil.rmtree(theirs)
        found = "no checkpoint"
    else:  # a file that a network file system does not show yet
        (theirs / "step-00000004" / "training_state.safetensors").unlink()
        found = "the checkpoint of step 2"
    several = {"processes": 2, "change": functools.partial(enter_machine, tmp_path)}
    code, sentence = resume(tiny_config, "run", **several)
    assert code == 3
    assert f"process 1 finds {found}" in sentence
    assert "the main one the checkpoint of step 4" in sentence


def test_a_budget_that_only_one_machine_finds_is_refused(tiny_config, run, tmp_path):
    """If it fails, one machine measures its speed and waits for the other for ever."""
    for rank in "01":
        (tmp_path / rank / "run").mkdir(parents=True)
    values = json.loads((run / "config.json").read_text())
    values["budget"] = "1M"
    (tmp_path / "0" / "run" / "config.json").write_text(json.dumps(values))
    (tmp_path / "0" / "run" / "metrics.jsonl").touch()
    several = {"processes": 2, "change": functools.partial(enter_machine, tmp_path)}
    code, sentence = resume(tiny_config, "run", "budget=1M", **several)
    assert (code, "process 1 finds no config.json" in sentence) == (3, True), sentence
