"""The one dial: ``size=17M budget=60min`` in place of a dozen settings.

From a number of parameters and a budget of time or tokens it chooses depth, width, batch, learning
rates and steps (``training.autoconfig.sizing``), and says why. Time becomes tokens by the speed
that this very machine reaches with that network. A run that goes on keeps what was chosen when it
began, and what is set by name beside the dial stays as it was set.
"""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from training.autoconfig.sizing import (
    KNOWN_BATCH_TOKENS,
    KNOWN_TOKENS,
    KNOWN_WIDTH,
    Data,
    batch_blocks_for,
    learning_rates_for,
    n_parameters,
    parameters_in,
    seconds_in,
    shape_for,
    tokens_in,
)
from training.autoconfig.speed import Speed
from training.config import RunConfig
from training.foundation.config_schema import apply_overrides, from_mapping, to_mapping
from training.foundation.errors import ConfigError
from training.validate import ALL_BLOCKS

TOKENS_OF_PARAMETER = 20  # Hoffmann et al. 2022, arXiv:2203.15556
VALIDATIONS = 20  # on the way, at most
VALIDATION_SHARE = 0.1  # of the time, at most, for those on the way
SAVE_EVERY_S = 300.0
FEWEST_STEPS = 20
CHOSEN = {
    "model": ("n_embd", "n_layer", "n_head"),
    "optim": ("matrix_learning_rate", "learning_rate", "warmup_steps"),
    "pretrain": (
        "steps",
        "batch_blocks",
        "micro_batch_blocks",
        "validate_every_steps",
        "save_every_steps",
    ),
}


def turned(
    config: RunConfig,
    overrides: Sequence[str],
    data: Data,
    *,
    n_processes: int,
    measure: Callable[[RunConfig], Speed],
) -> tuple[RunConfig, list[str]]:
    """Returns the config with everything chosen, and the reasons, a line each.

    Args:
        config: With ``size``, ``budget`` or both; without, it is returned as it is.
        overrides: What was set by name on the command line; it stays so.
        data: Of the shards.
        n_processes: How many train together.
        measure: Finds the speed of the network that a config describes.

    Raises:
        ConfigError: Size or budget cannot be understood or reached.
    """
    reasons = []
    if config.size is not None:
        model = to_mapping(shape_for(parameters_in(config.size), data))
        shape = {key: model[key] for key in CHOSEN["model"]}
        config = _with(config, {"model": shape}, overrides)
        reasons.append(_why_shape(config, data))
    if config.budget is not None:
        speed = measure(config)
        chosen = _with(config, _training(config, data, n_processes, speed), overrides)
        if chosen.pretrain.micro_batch_blocks != config.pretrain.micro_batch_blocks:
            speed = measure(chosen)  # smaller passes are slower
            chosen = _with(config, _training(config, data, n_processes, speed), overrides)
        config = chosen
        reasons += _why_training(config, data, speed)
    return config, reasons


def as_begun(config: RunConfig, overrides: Sequence[str]) -> RunConfig | None:
    """Returns what the dial chose when the run in this folder began, or None if there is none.

    Raises:
        ConfigError: It began with another size or budget.
    """
    path = config.paths.run / "config.json"
    if not path.exists():
        return None
    try:
        begun = from_mapping(RunConfig, json.loads(path.read_bytes()), where=str(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path} ({error}); choose another paths.run") from error
    if (begun.size, begun.budget) != (config.size, config.budget):
        raise ConfigError(
            f"the run in {config.paths.run} started with size={begun.size} budget={begun.budget};"
            " use these, or choose another paths.run"
        )
    values = to_mapping(begun)
    chosen = {table: {key: values[table][key] for key in keys} for table, keys in CHOSEN.items()}
    return _with(config, chosen, overrides)


def _with(config: RunConfig, chosen: dict[str, Any], overrides: Sequence[str]) -> RunConfig:
    values = to_mapping(config)
    for table, settings in chosen.items():
        values[table] |= settings
    apply_overrides(values, overrides)
    return from_mapping(RunConfig, values, where="the dial")


def _batch_and_steps(
    config: RunConfig, data: Data, n_processes: int, speed: Speed
) -> tuple[int, int]:
    """Returns the blocks of a step, and how many steps the budget allows beside validations."""
    assert config.budget is not None
    seconds = seconds_in(config.budget)
    if seconds is None:
        tokens = tokens_in(config.budget)
        batch = batch_blocks_for(tokens, data, n_processes)
        return batch, round(tokens / (batch * data.block_tokens))
    on_the_way = speed.validation_s(config.pretrain.validation_blocks)
    validations_s = _validations(seconds, on_the_way) * on_the_way + speed.validation_s(ALL_BLOCKS)
    seconds = max(0.0, seconds - validations_s)
    batch = batch_blocks_for(seconds * speed.tokens_per_s, data, n_processes)
    return batch, int(seconds / speed.step_s(batch * data.block_tokens))


def _validations(seconds: float, of_one: float) -> int:
    return max(1, min(VALIDATIONS, int(VALIDATION_SHARE * seconds / of_one)))


def _training(config: RunConfig, data: Data, n_processes: int, speed: Speed) -> dict[str, Any]:
    batch, steps = _batch_and_steps(config, data, n_processes, speed)
    if steps < FEWEST_STEPS:
        raise ConfigError(
            f"budget={config.budget} allows only {steps} steps on this machine, too few to learn"
            " anything; choose a larger budget or a smaller size"
        )
    step_s = speed.step_s(batch * data.block_tokens)
    of_one = speed.validation_s(config.pretrain.validation_blocks)
    validations = _validations(steps * step_s, of_one)
    return {
        "optim": {
            **learning_rates_for(config.model.n_embd),
            "warmup_steps": min(max(10, steps // 100), 1000),
        },
        "pretrain": {
            "steps": steps,
            "batch_blocks": batch,
            "micro_batch_blocks": math.gcd(
                batch // n_processes, config.pretrain.micro_batch_blocks
            ),
            "validate_every_steps": math.ceil(steps / (validations + 1)),
            "save_every_steps": max(1, min(steps, round(SAVE_EVERY_S / step_s))),
        },
    }


def _why_shape(config: RunConfig, data: Data) -> str:
    model = config.model
    return (
        f"size={config.size}: {model.n_layer} layers of width {model.n_embd},"
        f" {n_parameters(model, data) / 1e6:.1f}M parameters,"
        f" {data.vocab_size * model.n_embd / 1e6:.1f}M of them for {data.vocab_size:,} tokens"
    )


def _why_training(config: RunConfig, data: Data, speed: Speed) -> list[str]:
    settings, optim = config.pretrain, config.optim
    batch = settings.batch_blocks * data.block_tokens
    step_s, tokens = speed.step_s(batch), settings.steps * batch
    on_the_way = (settings.steps - 1) // settings.validate_every_steps
    validation_s = on_the_way * speed.validation_s(settings.validation_blocks)
    validation_s += speed.validation_s(ALL_BLOCKS)
    of_parameter = tokens / n_parameters(config.model, data)
    is_short = of_parameter < TOKENS_OF_PARAMETER
    speed_line = f"{batch / step_s:,.0f} tokens per second, measured here with this network"
    budget_line = (
        f"budget={config.budget}: {tokens / 1e6:,.1f}M tokens, {settings.steps} steps of"
        f" {step_s:.2f} s, {settings.steps * step_s / 60:,.1f} minutes in all, plus"
        f" {validation_s / 60:,.1f} minutes for {on_the_way + 1} validations"
    )
    batch_line = (
        f"batch: {settings.batch_blocks} blocks, {batch:,} tokens per step ({KNOWN_BATCH_TOKENS:,}"
        f" suit {KNOWN_TOKENS / 1e6:,.0f}M tokens; scaled by the square root)"
    )
    rates_line = (
        f"learning rates: {optim.matrix_learning_rate} (matrices) and {optim.learning_rate} (the"
        f" defaults suit a width of {KNOWN_WIDTH}; scaled by the inverse square root)"
    )
    advice_line = (
        f"{of_parameter:.1f} tokens per parameter; about {TOKENS_OF_PARAMETER} are best for a given"
        f" budget, so {'a smaller' if is_short else 'a larger'} size may reach a lower loss"
    )
    return [speed_line, budget_line, batch_line, rates_line, advice_line]
