"""The configs that come with the project: each is what its first lines say."""

import math
from pathlib import Path

import pytest

from training.artifact.network.config import parameter_shapes
from training.config import RunConfig
from training.foundation.config_schema import load_toml
from training.step.batches import count_micro_batches

MAX_BLOCKS = 1 << 24  # all of them
CONFIGS = Path(__file__).parents[3] / "training/configs"


@pytest.mark.parametrize(
    ("name", "millions", "vocab_size"),
    [
        ("debug", 0.9, 2048),
        ("default", 17.3, 16_384),
        ("small", 111, 32_768),
        ("xl", 1529, 32_768),
        ("codeparrot-small", 111, 32_768),
        ("codeparrot", 1529, 32_768),
    ],
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


# The chapter's table of settings, by its names: of the large model, and of the small one.
CHAPTER = {
    "train_batch_size": (2, 12),
    "weight_decay": (0.1, 0.1),
    "shuffle_buffer": (1000, 1000),
    "learning_rate": (2e-4, 5e-4),
    "lr_scheduler_type": ("cosine", "cosine"),
    "num_warmup_steps": (750, 2000),
    "gradient_accumulation_steps": (16, 1),
    "gradient_checkpointing": (True, False),
    "max_train_steps": (50_000, 150_000),
    "max_eval_steps": (-1, -1),
    "seq_length": (1024, 1024),
    "seed": (1, 1),
    "save_checkpoint_steps": (50_000, 15_000),  # in forward passes
}
CHAPTER_GPUS = 16


@pytest.mark.parametrize(("index", "name"), [(0, "codeparrot"), (1, "codeparrot-small")])
def test_the_recipe_has_the_chapters_settings(index, name):
    """If it fails, somebody who repeats the chapter trains something else."""
    config = load_toml(RunConfig, CONFIGS / f"{name}.toml")
    settings, optim = config.pretrain, config.optim
    n_passes = count_micro_batches(settings, CHAPTER_GPUS)
    ours = {
        "train_batch_size": settings.micro_batch_blocks,
        "weight_decay": optim.weight_decay,
        "shuffle_buffer": config.stream.shuffle_documents,
        "learning_rate": optim.learning_rate,
        "lr_scheduler_type": optim.schedule,
        "num_warmup_steps": optim.warmup_steps,
        "gradient_accumulation_steps": n_passes,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "max_train_steps": settings.steps,
        "max_eval_steps": -1 if settings.validation_blocks == MAX_BLOCKS else 0,
        "seq_length": config.shards.block_tokens,
        "seed": settings.seed,
        "save_checkpoint_steps": settings.save_every_steps * n_passes,
    }
    assert ours == {key: values[index] for key, values in CHAPTER.items()}
    assert settings.save_every_steps == settings.validate_every_steps == settings.keep_every_steps
    assert (optim.matrices, optim.beta1, optim.beta2, optim.clip_norm) == ("adamw", 0.9, 0.999, 1.0)
    assert optim.position_rate == optim.learning_rate
    assert optim.position_decay == optim.weight_decay
    assert config.shards.fim.rate == 0
    assert not settings.within_documents
    assert settings.rare_token_slices == 1
    assert (settings.initialisation, settings.dropout) == ("plain", 0.1)


def test_the_recipes_network_is_gpt2s():
    """The chapter takes the configs of ``gpt2-xl`` and ``gpt2``."""
    networks = [load_toml(RunConfig, CONFIGS / f"{n}.toml").model for n in ("xl", "small")]
    ours = [
        load_toml(RunConfig, CONFIGS / f"{n}.toml").model
        for n in ("codeparrot", "codeparrot-small")
    ]
    assert ours == networks
    assert {model.activation_function for model in ours} == {"gelu_new"}
