"""What a model carries so that others can go on: the run's config, and what a run resumes from."""

import dataclasses
from pathlib import Path

import pytest

from training.config import DistilConfig, RunConfig, StreamConfig, TokenizerConfig
from training.corpus.config import CorpusConfig, QualityConfig, QualityRule
from training.foundation.config_schema import load_toml, render_toml
from training.foundation.errors import PrerequisiteError
from training.run.checkpoint import (
    CheckpointRecord,
    checkpoint_path,
    import_checkpoint,
    list_checkpoints,
    save_checkpoint,
    write_state,
)
from training.run.model_card import render_run_config
from training.run.tracking.trackers import flatten_config

CONFIGS = Path(__file__).parents[3] / "training/configs"


@pytest.mark.parametrize(
    "name", ["debug", "default", "own", "small", "xl", "codeparrot", "codeparrot-small"]
)
def test_a_config_is_read_back_as_it_was(name, tmp_path):
    """If it fails, what a model carries trains another model."""
    config = load_toml(RunConfig, CONFIGS / f"{name}.toml")
    (tmp_path / "run.toml").write_text(render_toml(config))
    assert load_toml(RunConfig, tmp_path / "run.toml") == config
    (tmp_path / "run.toml").write_text(render_run_config(config))
    assert load_toml(RunConfig, tmp_path / "run.toml") == config


def test_strange_text_and_lists_of_tables_are_read_back(tmp_path):
    rules = (QualityRule(level="high", min_stars=5), QualityRule(level="low"))
    config = CorpusConfig(
        out=Path('a "quoted"\\path\n\x7f☃'),
        licences=("MIT", "0BSD"),
        licence_overrides={"a.b": "MIT", "ä c": "0BSD"},
        quality=QualityConfig(rules=rules),
    )
    (tmp_path / "corpus.toml").write_text(render_toml(config), encoding="utf-8")
    assert load_toml(CorpusConfig, tmp_path / "corpus.toml") == config


def test_the_config_of_a_model_names_no_folder_of_its_machine(tmp_path):
    config = load_toml(
        RunConfig,
        CONFIGS / "debug.toml",
        [f"paths.run={tmp_path}/jane/run", f"pretrain.start_from={tmp_path}/jane/model"],
    )
    text = render_run_config(config)
    assert "jane" not in text
    assert 'run = "run"' in text
    assert 'start_from = "model"' in text


STREAM = {
    "stages": Path("/home/jane/acme/stages.toml"),
    "heldout_files": ("/home/jane/acme/last.json.gz",),
}


@pytest.mark.parametrize(
    "config",
    [
        RunConfig(stream=StreamConfig(files=("/home/jane/acme/*.json.gz", "b.json"), **STREAM)),
        RunConfig(
            stream=StreamConfig(
                hub="/home/jane/acme@main",
                data_files="/home/jane/x/*",
                heldout_shards=Path("/home/jane/acme/shards"),
            ),
            tokenizer=TokenizerConfig(compare_with=["/home/jane/tokenizer", "gpt2"]),
        ),
        RunConfig(
            tokenizer=TokenizerConfig(compare_with="/home/jane/tokenizer"),
            distil=DistilConfig(teacher=Path("/home/jane/teacher")),
        ),
    ],
)
def test_no_setting_names_a_folder_of_its_machine(config):
    """If it fails, the Hub and trackers tell whose data a model learned, and where it lies."""
    published = render_run_config(config)
    tracked = flatten_config(config)
    assert "jane" not in published
    assert "jane" not in str(tracked)
    if config.stream.files:
        assert 'files = ["*.json.gz", "b.json"]' in published
        assert tracked["stream.files"] == "('*.json.gz', 'b.json')"
        assert tracked["stream.stages"] == "stages.toml"


@pytest.fixture
def run(tmp_path):
    """A run with two checkpoints, as the real code writes them."""
    torch = pytest.importorskip("torch")
    for step in (4, 8):
        write_state(tmp_path / "run/checkpoints", step, {"master/x": torch.full((2,), step)})
        save_checkpoint(
            tmp_path / "run/checkpoints",
            record=CheckpointRecord(step=step, seed=1),
            keep=2,
            keep_every_steps=0,
            write_artifact=lambda folder: (
                folder.mkdir(),
                (folder / "parrotlet.json").write_text("{}"),
            ),
        )
    return tmp_path / "run"


def no_data(checkpoint, step):
    """Takes over nothing, as for shards."""


@pytest.mark.parametrize("place", ["run", "checkpoint"])
def test_a_run_goes_on_from_another_ones_checkpoint(run, tmp_path, place):
    """The newest of a run, or the one that is named; nothing foreign comes along."""
    source = run if place == "run" else checkpoint_path(run / "checkpoints", 8)
    foreign = checkpoint_path(run / "checkpoints", 8) / "setup.py"
    foreign.write_text("raise SystemExit")
    (foreign.parent / "memory.json").write_text("{}")  # the manifest has its hash
    made = import_checkpoint(source, tmp_path / "mine", no_data)
    assert [path.name for path in list_checkpoints(tmp_path / "mine")] == ["step-00000008"]
    assert {path.name for path in made.iterdir()} == {
        "memory.json",
        "parrotlet.json",
        "training_state.json",
        "training_state.safetensors",
    }
    assert import_checkpoint(Path("/nowhere"), tmp_path / "mine", no_data) is None, "it has its own"


def test_what_is_no_checkpoint_is_one_sentence(run, tmp_path):
    with pytest.raises(PrerequisiteError, match="has no training state to resume from"):
        import_checkpoint(tmp_path, tmp_path / "mine", no_data)
    state = checkpoint_path(run / "checkpoints", 8) / "training_state.safetensors"
    state.write_bytes(b"damaged")
    with pytest.raises(PrerequisiteError, match="is damaged"):
        import_checkpoint(run, tmp_path / "mine", no_data)
    assert not list_checkpoints(tmp_path / "mine")


def test_resume_from_is_part_of_the_config():
    config = RunConfig()
    assert config.pretrain.resume_from is None
    changed = dataclasses.replace(config.pretrain, resume_from=Path("me/model@main"))
    assert 'resume_from = "me/model@main"' in render_toml(
        dataclasses.replace(config, pretrain=changed)
    )
