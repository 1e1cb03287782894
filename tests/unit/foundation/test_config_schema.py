"""Configs are read strictly, and mistakes are named."""

import pytest

from training.config import RunConfig
from training.foundation.config_schema import from_mapping, load_toml, to_mapping
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
        ("[pretrain]\nsteps = 0", "expected at least 1"),
        ("[optim]\nmatrices = 'sgd'", "expected one of 'muon', 'adamw'"),
        ("pretrain = 3", "expected a table"),
        ("[shards.fim]\nrate = 2.0", "expected 0 to 1"),
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
    config = load_toml(RunConfig, path, ["pretrain.steps=7", "name=other", "optim.beta1=1"])
    assert (config.pretrain.steps, config.pretrain.seed, config.name) == (7, 1, "other")
    assert config.optim.beta1 == 1.0


def test_extends_in_a_circle_is_refused(tmp_path):
    path = write(tmp_path / "c.toml", "extends = 'c.toml'")
    with pytest.raises(ConfigError, match="circle"):
        load_toml(RunConfig, path)


def test_plain_data_round_trip():
    config = RunConfig()
    assert from_mapping(RunConfig, to_mapping(config), where="test") == config
