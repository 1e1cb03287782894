"""What a run refuses before it writes or allocates anything."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.artifact.bundled import BUNDLED_MODEL, register_fetched
from training.artifact.manifest import TrainingRecord
from training.artifact.network.config import GPT2Config
from training.autoconfig import starting_point
from training.command_line import check_paths
from training.config import PathsConfig, PretrainConfig, RunConfig
from training.foundation.errors import ConfigError
from training.run.checkpoint import check_same_start
from training.run.run_files import check_run_folder
from training.run.run_metrics import METRICS_FILE
from training.step.model import check_memory


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    return folder


@pytest.mark.parametrize(
    "names",
    [
        [".bashrc", "thesis/chapter"],
        ["config.json", "model.safetensors", "parrotlet.json"],
        ["model/parrotlet.json", "README.md"],
        [METRICS_FILE, "model/parrotlet.json", "model/notes.txt"],
        [METRICS_FILE, "model/weights.bin"],
    ],
)
def test_a_folder_of_something_else_is_refused(tmp_path, names):
    """If it fails, a mistyped paths.run overwrites a home folder's or a model's files."""
    with pytest.raises(ConfigError, match="something else"):
        check_run_folder(make(tmp_path / "run", *names))


def test_the_bundled_model_is_refused():
    for folder in (BUNDLED_MODEL, BUNDLED_MODEL.parent):
        with pytest.raises(ConfigError, match="something else"):
            check_run_folder(folder)


def test_a_file_in_its_place_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="a file"):
        check_run_folder(make(tmp_path, "run") / "run")


@pytest.mark.parametrize(
    "names",
    [
        [],
        [".lock", "logs/a", "outbox/b"],
        ["documents/a", "checkpoints/b", "heldout/c"],  # of a stream that has not begun yet
        [METRICS_FILE, "config.json", "checkpoints/step-00000001/x", "notes.txt"],
        [METRICS_FILE, "model/parrotlet.json", "model/README.md", "report.html"],
    ],
)
def test_a_run_is_continued_beside_notes_of_its_users(tmp_path, names):
    check_run_folder(make(tmp_path / "run", *names))


@pytest.mark.parametrize("shard_model", [True, False])
def test_a_network_beyond_the_memory_is_refused_before_it_is_built(shard_model):
    """If it fails, a slip of a zero takes the whole machine's memory."""
    settings = PretrainConfig(shard_model=shard_model)
    widest = GPT2Config(vocab_size=1 << 20, n_embd=1 << 16, n_layer=1024, n_head=64)
    with pytest.raises(ConfigError, match=r"needs at least [\d,]+ GiB of memory but has"):
        check_memory(widest, settings, torch.device("cpu"))
    check_memory(GPT2Config(vocab_size=16_384), settings, torch.device("cpu"))


def test_a_path_that_is_no_utf_8_is_named_before_the_work(tmp_path, monkeypatch):
    """If it fails, a training ends in UnicodeEncodeError when it writes its first checkpoint."""
    named = os.fsdecode(b"r\xff")
    with pytest.raises(ConfigError, match=r"paths\.run is .*not UTF-8"):
        check_paths(RunConfig(paths=PathsConfig(run=Path(named))))
    (tmp_path / named).mkdir()
    monkeypatch.chdir(tmp_path / named)
    with pytest.raises(ConfigError, match="not UTF-8"):
        check_paths(RunConfig())
    monkeypatch.chdir(tmp_path)
    check_paths(RunConfig())


FIRST, SECOND = "a" * 40, "b" * 40  # commits


def record(start, *, first_block=0, **trained):
    settings = {"start_from": start, "first_block": first_block}
    return TrainingRecord(config={"pretrain": settings}, **trained)


def resumes(found, expected):
    try:
        check_same_start(Path("run"), found, expected)
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (None, None),
        ("bundled", "bundled"),
        ("bundled", str(BUNDLED_MODEL)),
        (f"{BUNDLED_MODEL}/../model", "bundled"),
        ("gone", "gone"),
        (f"jane/model@{FIRST}", f"jane/model@{FIRST}"),
    ],
)
def test_a_start_of_another_spelling_is_the_same(before, now):
    """If it fails, a run that nobody has changed is not resumed."""
    assert resumes(record(before, steps=4), record(now, steps=9))


def test_a_model_of_the_hub_is_the_folder_to_which_it_was_fetched(tmp_path):
    name = f"jane/model@{FIRST}"
    register_fetched(Path(name), tmp_path)
    assert resumes(record(name, steps=4), record(str(tmp_path), steps=9))
    assert resumes(record(str(tmp_path), steps=4), record(name, steps=9))


@pytest.mark.parametrize("other", ["tokens_seen", "steps", "train_seconds"])
def test_a_start_of_another_name_is_the_same_if_it_was_trained_as_long(other):
    """A published checkpoint names only the last part of the path that its run started from."""
    trained = record("model", steps=8, tokens_seen=800, train_seconds=60.1)
    assert resumes(trained, replace(trained, config=record("/home/jo/model").config))
    changed = {other: getattr(trained, other) + 1}
    assert not resumes(trained, replace(trained, config=record("/home/jo/model").config, **changed))


@pytest.mark.parametrize(
    ("before", "now"), [(None, "bundled"), ("bundled", None), ("gone", None), (None, "gone")]
)
def test_fresh_weights_are_no_model(before, now):
    """If it fails, the records of a run say that it was trained for longer than it was, or less."""
    assert not resumes(record(before), record(now))


def test_another_place_in_the_data_is_refused():
    assert not resumes(record(None, first_block=8), record(None))


@pytest.mark.parametrize("config", [{}, {"pretrain": {}}, {"pretrain": {"seed": 1}}])
def test_a_checkpoint_that_does_not_record_its_start_resumes(config):
    """If it fails, trainings of earlier versions cannot go on."""
    assert resumes(TrainingRecord(config=config), record("bundled", first_block=8))


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("jane/model", FIRST),
        ("jane/model@main", FIRST),
        (f"jane/model@{FIRST}", FIRST),
        (f"jane/model@{SECOND}", SECOND),
        ("jo/model@main", SECOND),
    ],
)
def test_a_resumed_run_keeps_the_commit_that_it_started_from(
    tmp_path, monkeypatch, named, expected
):
    """If it fails, a run is refused, or its records become false, because a branch moved on."""

    def fetch(name, _):
        is_commit = name.revision in {FIRST, SECOND}
        return tmp_path / (name.revision if is_commit else SECOND)

    monkeypatch.setattr(starting_point, "fetch_hub_files", fetch)
    (tmp_path / "config.json").write_text(
        json.dumps({"pretrain": {"start_from": f"jane/model@{FIRST}"}})
    )
    config = RunConfig(
        paths=PathsConfig(run=tmp_path), pretrain=PretrainConfig(start_from=Path(named))
    )
    found = starting_point.fetch_starting_point(config).pretrain.start_from
    assert found == Path(f"{named.partition('@')[0]}@{expected}")
    (tmp_path / "config.json").write_text("[")
    found = starting_point.fetch_starting_point(config).pretrain.start_from
    assert found.name == f"model@{FIRST if FIRST in named else SECOND}"
