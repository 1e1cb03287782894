"""What a run refuses before it writes or allocates anything."""

import os
from pathlib import Path

import pytest
import torch

from training.artifact.bundled import BUNDLED_MODEL
from training.artifact.network.config import GPT2Config
from training.command_line import check_paths
from training.config import PathsConfig, PretrainConfig, RunConfig
from training.foundation.errors import ConfigError
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
