"""``size`` and ``budget`` in place of a dozen settings: choices, reasons, overrides, refusals."""

import json
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator

from training.artifact.manifest import MEMORY_FILE
from training.artifact.verbatim import VERBATIM_FILE
from training.autoconfig import speed, starting_point
from training.autoconfig.resolve import choose_settings, resume_config
from training.autoconfig.sizing import (
    DataShape,
    choose_batch_blocks,
    choose_model,
    count_parameters,
    parse_parameters,
    parse_seconds,
    scale_learning_rates,
)
from training.autoconfig.speed import Speed, measure_speed
from training.config import ModelConfig, OptimConfig, RunConfig
from training.foundation.config_schema import load_toml, to_mapping
from training.foundation.errors import ConfigError, PrerequisiteError
from training.step.objective import LossModule

DATA = DataShape(vocab_size=16_384, block_tokens=1024)
SPEED = Speed(tokens_per_s=2500.0, update_s=0.3, block_s=0.12, samples_s=1.5, micro_batch_blocks=8)
SMALL = replace(SPEED, micro_batch_blocks=2)


@pytest.fixture
def config_with(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(f"paths.run = '{tmp_path / 'run'}'\n")
    return lambda *overrides: load_toml(RunConfig, path, overrides)


def choose(config, *overrides, n_processes=1, found=SPEED):
    return choose_settings(
        config, overrides, DATA, n_processes=n_processes, measure=lambda _: found
    )


@pytest.mark.parametrize(
    ("size", "vocab_size", "n_layer", "n_embd"),
    [("17M", 16_384, 6, 384), ("110M", 32_768, 12, 768)],
)
def test_known_sizes_give_known_networks(size, vocab_size, n_layer, n_embd):
    """The bundled model, and GPT-2's own smallest."""
    shape = choose_model(
        parse_parameters(size), DataShape(vocab_size=vocab_size, block_tokens=1024)
    )
    assert (shape.n_layer, shape.n_embd, shape.n_head) == (n_layer, n_embd, n_embd // 64)


@pytest.mark.parametrize("millions", [5, 10, 17, 30, 70, 160, 410, 1500])
def test_a_network_has_the_requested_size(millions):
    shape = choose_model(millions * 1e6, DATA)
    assert count_parameters(shape, DATA) == pytest.approx(millions * 1e6, rel=0.2)
    assert 0.5 <= shape.n_embd / (64 * shape.n_layer) <= 2


def test_the_default_width_has_the_default_rates():
    known, rates = OptimConfig(), scale_learning_rates(ModelConfig().n_embd)
    assert rates["learning_rate"] == known.learning_rate
    assert rates["matrix_learning_rate"] == known.matrix_learning_rate


def test_batches_grow_with_tokens():
    blocks = [choose_batch_blocks(tokens, DATA, 1) for tokens in (1e6, 1e7, 4e7, 1.5e8, 1e9)]
    assert blocks == sorted(set(blocks))
    assert choose_batch_blocks(1e6, DATA, 6) == 6


@pytest.mark.parametrize(
    ("budget", "seconds"), [("90s", 90), ("60min", 3600), ("1.5h", 5400), ("2d", 172_800)]
)
def test_times_are_parsed(budget, seconds):
    assert parse_seconds(budget) == seconds


def seconds_of(config):
    """The duration of the whole run: steps, validations during training and at the end."""
    settings = config.pretrain
    on_the_way = (settings.steps - 1) // settings.validate_every_steps
    return (
        settings.steps * SPEED.step_s(settings.batch_blocks * DATA.block_tokens)
        + on_the_way * SPEED.validation_s(settings.validation_blocks)
        + SPEED.validation_s(settings.final_validation_blocks)
    )


@pytest.mark.parametrize("minutes", [3, 10, 60, 600])
def test_a_time_budget_is_kept(config_with, minutes):
    """If it fails, a run takes longer than the user allowed."""
    config, _ = choose(config_with("size=17M", f"budget={minutes}min"))
    assert 0.9 * minutes * 60 < seconds_of(config) <= minutes * 60
    batch = config.pretrain.batch_blocks * DATA.block_tokens
    assert config.pretrain.save_every_steps * SPEED.step_s(batch) <= 330


def test_an_hour_trains_the_default_network_and_validates_often(config_with):
    config, reasons = choose(config_with("size=17M", "budget=60min"))
    assert config.model == ModelConfig()
    assert config.pretrain.steps // config.pretrain.validate_every_steps in (20, 21)
    assert any("for 21 validations" in reason for reason in reasons)


def test_small_batches_are_measured_again(config_with):
    """Small passes are slower per token than the one that was measured first."""
    measured = []

    def measure(config):
        measured.append(config.pretrain.micro_batch_blocks)
        return replace(SPEED, micro_batch_blocks=measured[-1])

    config, _ = choose_settings(
        config_with("size=17M", "budget=10min"), (), DATA, n_processes=1, measure=measure
    )
    assert measured == [8, config.pretrain.micro_batch_blocks]
    assert measured[1] < 8


def test_passes_that_exceed_the_memory_are_halved(config_with, monkeypatch):
    """If it fails, a network that would fit in smaller passes ends in a traceback."""
    tried = []

    def train(module, ids, *_):
        tried.append(len(ids))
        if len(ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return module.model.transformer.wte.weight.sum(), torch.zeros(3, 2)

    monkeypatch.setattr(LossModule, "forward", train)
    monkeypatch.setattr(speed, "MEASURE_S", 0.0)
    data = DataShape(vocab_size=512, block_tokens=32)
    accelerator = Accelerator(cpu=True)
    config = config_with("model.n_embd=16", "model.n_layer=1", "model.n_head=1")
    with pytest.raises(PrerequisiteError, match="memory does not suffice for micro-batches of 8"):
        measure_speed(config, data, accelerator)
    del tried[:]
    found = measure_speed(config, data, accelerator, may_halve=True)
    assert sorted(set(tried), reverse=True) == [8, 4, 2]
    assert found.micro_batch_blocks == 2
    chosen, reasons = choose_settings(
        config_with("budget=60min"), (), DATA, n_processes=1, measure=lambda _: SMALL
    )
    assert chosen.pretrain.micro_batch_blocks == 2
    assert "micro-batches of 2 blocks: 8 exceed the memory" in reasons


@pytest.mark.parametrize(("share", "pass_s"), [(0.0, 1.0), (0.5, 2.0), (1.0, 3.0)])
def test_the_time_of_a_teacher_is_counted(config_with, monkeypatch, share, pass_s):
    """If it fails, a run with a teacher takes up to twice the time that it was allowed."""
    seconds = {3: (1.0, 0.1), 4: (3.0, 0.1)}  # of passes over text, and of distilled ones
    monkeypatch.setattr(speed, "_load_teacher", lambda *_: (None, share))
    monkeypatch.setattr(speed, "_time_steps", lambda _, __, batch, ___: seconds[len(batch)])
    data = DataShape(vocab_size=512, block_tokens=32)
    config = config_with("model.n_embd=16", "model.n_layer=1", "model.n_head=1")
    found = measure_speed(config, data, Accelerator(cpu=True))
    assert found.tokens_per_s == pytest.approx(8 * 32 / pass_s)


def test_a_token_budget_is_kept_and_explained(config_with):
    config, reasons = choose(config_with("size=17M", "budget=150M"), n_processes=4)
    tokens = config.pretrain.steps * config.pretrain.batch_blocks * DATA.block_tokens
    assert tokens == pytest.approx(150e6, rel=0.001)
    assert config.pretrain.batch_blocks % 4 == 0
    text = "\n".join(reasons)
    for wanted in (
        "6 layers of width 384",
        "tokens per second, measured",
        "150.0M tokens",
        "rates",
    ):
        assert wanted in text


def test_explicit_settings_are_kept(config_with):
    """If it fails, a setting that the user made explicitly is overwritten."""
    overrides = ("size=17M", "budget=10M", "optim.learning_rate=1e-4", "model.n_layer=7")
    config, _ = choose(config_with(*overrides), *overrides)
    assert config.optim.learning_rate == 1e-4
    assert config.model.n_layer == 7
    assert config.model.n_embd == 384


def test_the_rates_of_a_run_that_starts_from_a_model_are_kept(config_with):
    """If it fails, a budget unlearns in its first steps what the model knew."""
    rates = ("optim.matrix_learning_rate=1e-3", "optim.learning_rate=5e-4")
    config, reasons = choose(config_with("budget=20min", "pretrain.start_from=bundled", *rates))
    assert (config.optim.matrix_learning_rate, config.optim.learning_rate) == (1e-3, 5e-4)
    assert config.pretrain.steps != RunConfig().pretrain.steps
    assert any("starts from bundled" in reason for reason in reasons)
    fresh, _ = choose(config_with("budget=20min", *rates))
    assert fresh.optim.learning_rate == OptimConfig().learning_rate


@pytest.mark.parametrize("blocks", [1, 2, 24, 64])
@pytest.mark.parametrize("budget", ["60min", "150M"])
def test_a_budget_is_kept_with_a_batch_of_ones_own(config_with, blocks, budget):
    """If it fails, a run takes as many times too long as the batch is larger."""
    overrides = ("size=17M", f"budget={budget}", f"pretrain.batch_blocks={blocks}")
    config, reasons = choose(config_with(*overrides), *overrides)
    settings = config.pretrain
    assert settings.batch_blocks == blocks
    assert blocks % settings.micro_batch_blocks == 0
    if budget == "60min":
        assert 0.9 * 3600 < seconds_of(config) <= 3600
        step_s = SPEED.step_s(blocks * DATA.block_tokens)
        assert settings.save_every_steps * step_s <= 330
    else:
        assert settings.steps * blocks * DATA.block_tokens == pytest.approx(150e6, rel=0.001)
    assert config.optim.warmup_steps == min(max(10, settings.steps // 100), 1000)
    assert any("as set" in reason for reason in reasons)


def test_steps_of_ones_own_are_warmed_up_and_validated_in_proportion(config_with):
    """If it fails, a short run is still warming up when it ends, and is never validated."""
    overrides = ("size=17M", "budget=10h", "pretrain.steps=200")
    config, _ = choose(config_with(*overrides), *overrides)
    assert config.pretrain.steps == 200
    assert config.optim.warmup_steps == 10
    assert config.pretrain.validate_every_steps < 200
    assert config.pretrain.save_every_steps <= 200


def test_a_size_alone_changes_only_the_network(config_with):
    config, _ = choose(config_with("size=5M"))
    assert config.pretrain == RunConfig().pretrain
    assert config.model != RunConfig().model


def test_a_resumed_run_keeps_what_was_chosen(config_with):
    """If it fails, a half-trained network changes its size on a slower day."""
    config, _ = choose(config_with("size=17M", "budget=60min"))
    config.paths.run.mkdir()
    (config.paths.run / "config.json").write_text(json.dumps(to_mapping(config)))
    assert resume_config(config_with("size=17M", "budget=60min"), ()) == config
    overrides = ["size=17M", "budget=60min", "pretrain.stop_after_steps=9"]
    stopped = resume_config(config_with(*overrides), overrides)
    assert stopped.pretrain.stop_after_steps == 9
    assert stopped.pretrain.steps == config.pretrain.steps
    with pytest.raises(ConfigError, match="started with size=17M budget=60min"):
        resume_config(config_with("size=17M", "budget=2h"), ())


def test_a_new_folder_has_nothing_to_resume(config_with):
    assert resume_config(config_with("size=17M"), ()) is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["size=17X"], "expected a number of parameters such as 17M"),
        (["size=200K"], "the smallest network for 16,384 tokens has"),
        (["budget=soon"], "expected a time such as 60min or 8h, or tokens such as 150M"),
        (["budget=5s"], "allows only 0 steps"),
        (["budget=45s"], "too few to learn anything"),
    ],
)
def test_impossible_requests_get_one_sentence(config_with, overrides, message):
    with pytest.raises(ConfigError, match=message):
        choose(config_with(*overrides))


@pytest.mark.parametrize("key", ["pretrain.start_from", "pretrain.resume_from", "distil.teacher"])
def test_a_model_of_the_hub_is_fetched_with_all_that_its_manifest_names(
    config_with, monkeypatch, tmp_path, key
):
    """If it fails, a model that was trained further cannot be indexed, or its copy is refused."""
    fetched = []
    monkeypatch.setattr(
        starting_point, "fetch_hub_files", lambda _, files: fetched.extend(files) or tmp_path
    )
    starting_point.fetch_starting_point(config_with(f"{key}=me/model"))
    assert {VERBATIM_FILE, MEMORY_FILE, "model.safetensors"} < set(fetched)
