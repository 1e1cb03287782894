"""Configs are read strictly, and mistakes are named."""

import dataclasses
import os
import typing
from pathlib import Path

import pytest

from evaluation.passk.config import PasskConfig
from server.settings import Settings
from training.artifact.network.config import GPT2Config
from training.cluster.config import ClusterConfig
from training.config import RunConfig
from training.corpus.config import CorpusConfig
from training.foundation.config_schema import find_range, from_mapping, load_toml, to_mapping
from training.foundation.errors import ConfigError


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_shipped_configs_load():
    for name in ("debug", "default"):
        load_toml(RunConfig, __import__("pathlib").Path(f"training/configs/{name}.toml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[pretrain]\nstep = 3", "unknown key 'step'; did you mean 'steps'"),
        ("[pretrain]\nsteps = 'many'", "expected int"),
        ("[pretrain]\nsteps = true", "expected int"),
        ("[pretrain]\nsteps = 0", "steps is 0, expected 1 to 1000000000"),
        ("[optim]\nmatrices = 'sgd'", "expected one of 'muon', 'adamw'"),
        ("pretrain = 3", "expected a table"),
        ("[shards.fim]\nrate = 2.0", "rate is 2, expected 0 to 1"),
        ("[shards.fim]\nrate = nan", "rate is nan, expected 0 to 1"),
        ("[optim]\nclip_norm = inf", "clip_norm is inf, expected"),
        ("[shards]\nblock_tokens = 1", "block_tokens is 1, expected 16 to"),
        ("[model]\nn_head = 5", "n_head is 5, expected a divisor of n_embd, which is 384"),
        ("[model]\nn_layer = 0", "n_layer is 0, expected 1 to 1024"),
        ("[model]\nn_layer = 1000000000", "n_layer is 1000000000, expected 1 to 1024"),
        ("[pretrain]\nvalidation_blocks = 0", "validation_blocks is 0, expected 1 to"),
        (f"[pretrain]\nsteps = {'9' * 400}", "steps is a number of 1329 bits, expected 1 to"),
        (f"[pretrain]\nsteps = {'9' * 5000}", "cannot read the config"),
        (f"[pretrain]\nsteps = 0x{'f' * 5000}", "steps is a number of 20000 bits, expected"),
        (f"[optim]\nbeta1 = {'9' * 400}", "a number of 1329 bits .*, which is too large"),
        (f"name = 0x{'f' * 5000}", r"a number of 20000 bits \(int\), expected str"),
        (f"name = {['x' * 999]}", r"x\.\.\. \(list\), expected str"),
        (f"name = {'[' * 9999}{']' * 9999}", "cannot read the config"),
        ("[paths]\nrun = 'a\\u0000b'".replace("'", '"'), "without null characters"),
        ("not toml", "cannot read the config"),
    ],
)
def test_mistakes_get_one_clear_sentence(tmp_path, text, message):
    path = write(tmp_path / "c.toml", text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_toml(RunConfig, path)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        load_toml(RunConfig, tmp_path / "nowhere.toml")


def test_overrides_win_over_the_file_and_its_base(tmp_path):
    write(tmp_path / "base.toml", "[pretrain]\nsteps = 5\nseed = 1")
    path = write(tmp_path / "c.toml", "extends = 'base.toml'\n[pretrain]\nsteps = 6")
    config = load_toml(RunConfig, path, ["pretrain.steps=7", "name=other", "optim.beta1=0"])
    assert (config.pretrain.steps, config.pretrain.seed, config.name) == (7, 1, "other")
    assert config.optim.beta1 == 0.0
    assert isinstance(config.optim.beta1, float)


def test_extends_in_a_circle_is_refused(tmp_path):
    path = write(tmp_path / "c.toml", "extends = 'c.toml'")
    with pytest.raises(ConfigError, match="forms a cycle"):
        load_toml(RunConfig, path)


@pytest.mark.parametrize(
    "override",
    [f"pretrain.steps={'9' * 5000}", f"pretrain.seed={'[' * 9999}", "x", "a.b=1", "name.x=1"],
)
def test_wrong_overrides_get_one_clear_sentence(tmp_path, override):
    with pytest.raises(ConfigError) as caught:
        load_toml(RunConfig, write(tmp_path / "c.toml", "name = 'a'"), [override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_refused_at_once(tmp_path, make):
    make(tmp_path / "c.toml")
    with pytest.raises(ConfigError, match=r"cannot read the config .*c\.toml"):
        load_toml(RunConfig, tmp_path / "c.toml")


def list_numbers(config, prefix=""):
    """Yields the name and the field of each numeric setting of a config."""
    hints = typing.get_type_hints(config)
    for field in dataclasses.fields(config):
        hint, name = hints[field.name], f"{prefix}{field.name}"
        parts = [hint, *typing.get_args(hint)]
        for part in parts:
            if dataclasses.is_dataclass(part):
                yield from list_numbers(part, f"{name}.")
        if int in parts or float in parts:
            yield name, field


@pytest.mark.parametrize(
    "config", [RunConfig, CorpusConfig, ClusterConfig, GPT2Config, PasskConfig, Settings]
)
def test_every_number_has_a_range(config):
    """If it fails, an impossible value ends a command in a traceback, or never ends it."""
    numbers = dict(list_numbers(config))
    assert len(numbers) >= 5
    assert [name for name, field in numbers.items() if find_range(field) is None] == []
    for name, field in numbers.items():
        if field.default not in (None, dataclasses.MISSING):
            defaults = field.default if isinstance(field.default, tuple) else (field.default,)
            assert all(default in find_range(field) for default in defaults), name


def test_plain_data_round_trip():
    config = RunConfig()
    assert from_mapping(RunConfig, to_mapping(config), where="test") == config
