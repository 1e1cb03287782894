"""The configs that come with the project: each is what its first lines say."""

import math
from pathlib import Path

import pytest

from training.artifact.network.config import parameter_shapes
from training.config import RunConfig
from training.foundation.config_schema import load_toml

CONFIGS = Path(__file__).parents[3] / "training/configs"


@pytest.mark.parametrize(
    ("name", "millions", "vocab_size"),
    [("debug", 0.9, 2048), ("default", 17.3, 16_384), ("small", 111, 32_768), ("xl", 1529, 32_768)],
)
def test_a_config_has_the_size_it_claims(name, millions, vocab_size):
    config = load_toml(RunConfig, CONFIGS / f"{name}.toml")
    assert config.name == name
    assert config.tokenizer.vocab_size == vocab_size
    positions = config.shards.block_tokens
    shape = config.model.gpt2(vocab_size=vocab_size, n_positions=positions)
    n_parameters = sum(math.prod(shape) for shape in parameter_shapes(shape).values())
    assert n_parameters / 1e6 == pytest.approx(millions, rel=0.02)


def test_xl_differs_from_small_only_where_it_must():
    small, xl = (load_toml(RunConfig, CONFIGS / f"{name}.toml") for name in ("small", "xl"))
    assert xl.tokenizer == small.tokenizer
    assert xl.paths.shards == small.paths.shards
    assert xl.paths.run != small.paths.run
    assert xl.optim.schedule == small.optim.schedule == "cosine"
