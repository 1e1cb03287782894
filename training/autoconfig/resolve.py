"""``size=17M budget=60min`` in place of a dozen settings.

From a number of parameters and a budget of time or tokens, it chooses depth, width, batch size,
learning rates and steps (``training.autoconfig.sizing``) and prints why. A budget of time becomes
tokens by the speed that this machine reaches with that network. A resumed run keeps what was chosen
when it started, and what the user sets on the command line is never changed. Nor are the learning
rates of a run that starts from a model: the rates chosen here are for fresh weights.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from training.autoconfig.sizing import (
    KNOWN_BATCH_TOKENS,
    KNOWN_TOKENS,
    KNOWN_WIDTH,
    DataShape,
    choose_batch_blocks,
    choose_model,
    count_parameters,
    parse_parameters,
    parse_seconds,
    parse_tokens,
    scale_learning_rates,
)
from training.autoconfig.speed import Speed, measure_speed
from training.config import RunConfig
from training.foundation.config_schema import apply_overrides, from_mapping, to_mapping
from training.foundation.errors import ConfigError
from training.foundation.foreign_text import as_object, read_json
from training.processes.collective import check_shared_folder, fail_together

TOKENS_PER_PARAMETER = 20  # Hoffmann et al. 2022, arXiv:2203.15556
VALIDATIONS = 20  # during training, at most
VALIDATION_SHARE = 0.1  # of the time, at most, for validations during training
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
Settings = Mapping[str, Mapping[str, object]]  # by table of the config, then by key


def resolve_config(
    config: RunConfig,
    overrides: Sequence[str],
    accelerator: Any,
    *,
    describe_data: Callable[[RunConfig], DataShape],
) -> RunConfig:
    """Returns the config with what ``size`` and ``budget`` choose, or chose when the run started.

    Args:
        config: Without ``size`` and ``budget`` it is returned unchanged.
        overrides: What was set on the command line, which is never changed.
        accelerator: Accelerate's; all processes must call this together.
        describe_data: Returns the size of vocabulary and blocks.

    Raises:
        ConfigError: Size or budget is malformed or impossible, or differs from the started run's.
        PrerequisiteError: The processes do not share the run's folder.
    """
    if config.size is None and config.budget is None:
        return config
    with fail_together(accelerator):
        resumed = resume_config(config, overrides)
    check_shared_folder(config.paths.run, _describe_start(resumed), accelerator)
    if resumed is not None:
        return resumed
    data = describe_data(config)
    config, reasons = choose_settings(
        config,
        overrides,
        data,
        n_processes=accelerator.num_processes,
        measure=lambda chosen: measure_speed(
            chosen,
            data,
            accelerator,
            may_halve="micro_batch_blocks" not in _find_explicit(overrides),
        ),
    )
    if accelerator.is_main_process:
        sys.stderr.write("".join(f"{reason}\n" for reason in reasons))
    return config


def choose_settings(
    config: RunConfig,
    overrides: Sequence[str],
    data: DataShape,
    *,
    n_processes: int,
    measure: Callable[[RunConfig], Speed],
) -> tuple[RunConfig, list[str]]:
    """Returns the config with everything chosen, and the reasons, one line each.

    Args:
        config: With ``size``, ``budget`` or both.
        overrides: What was set on the command line, which is never changed.
        data: Of the shards.
        n_processes: How many train together.
        measure: Measures the speed of the network that a config describes.

    Raises:
        ConfigError: Size or budget is malformed or impossible.
    """
    reasons, explicit = [], _find_explicit(overrides)
    if config.size is not None:
        config = choose_network(config, overrides, data)
        reasons.append(_explain_model(config, data))
    if config.budget is not None:
        speed, wanted = measure(config), config.pretrain.micro_batch_blocks
        if speed.micro_batch_blocks < wanted:
            reasons.append(
                f"micro-batches of {speed.micro_batch_blocks} blocks: {wanted} exceed the memory"
            )
        settings = _choose_training(config, explicit, data, n_processes, speed)
        chosen = _apply(config, settings, overrides)
        if chosen.pretrain.micro_batch_blocks != speed.micro_batch_blocks:
            speed = measure(chosen)  # smaller passes are slower
            settings = _choose_training(config, explicit, data, n_processes, speed)
            chosen = _apply(config, settings, overrides)
        config = chosen
        reasons += _explain_training(config, explicit, data, speed)
    return config, reasons


def choose_network(config: RunConfig, overrides: Sequence[str], data: DataShape) -> RunConfig:
    """Returns the config with the network of its ``size``; without one, unchanged.

    Args:
        config: Its ``budget`` does not matter.
        overrides: What was set on the command line, which is never changed.
        data: Of the vocabulary and the blocks.

    Raises:
        ConfigError: The size is malformed or impossible.
    """
    if config.size is None:
        return config
    model = to_mapping(choose_model(parse_parameters(config.size), data))
    return _apply(config, {"model": {key: model[key] for key in CHOSEN["model"]}}, overrides)


def resume_config(config: RunConfig, overrides: Sequence[str]) -> RunConfig | None:
    """Returns the config with what was chosen when the run in this folder started.

    Returns:
        None if there is no run in this folder.

    Raises:
        ConfigError: It started with another size or budget.
    """
    path = config.paths.run / "config.json"
    if not path.exists():
        return None
    try:
        started = from_mapping(RunConfig, as_object(read_json(path)), where=str(path))
    except (OSError, ValueError, ConfigError) as error:
        raise ConfigError(f"cannot read {path} ({error}); choose another paths.run") from error
    if (started.size, started.budget) != (config.size, config.budget):
        raise ConfigError(
            f"the run in {config.paths.run} started with size={started.size}"
            f" budget={started.budget}; use these, or choose another paths.run"
        )
    values = to_mapping(started)
    chosen = {table: {key: values[table][key] for key in keys} for table, keys in CHOSEN.items()}
    return _apply(config, chosen, overrides)


def _describe_start(resumed: RunConfig | None) -> str:
    if resumed is None:
        return "no config.json"
    return f"a config.json of {resumed.pretrain.steps} steps"


def _apply(config: RunConfig, chosen: Settings, overrides: Sequence[str]) -> RunConfig:
    values = to_mapping(config)
    for table, settings in chosen.items():
        values[table] |= settings
    apply_overrides(values, overrides)
    return from_mapping(RunConfig, values, where="the chosen settings")


def _find_explicit(overrides: Sequence[str]) -> frozenset[str]:
    """Returns the settings of a training that were set on the command line."""
    given: dict[str, Any] = {}
    apply_overrides(given, overrides)
    return frozenset(given.get("pretrain", {})) | frozenset(given.get("optim", {}))


def _choose_batch_and_steps(
    config: RunConfig,
    explicit: frozenset[str],
    data: DataShape,
    n_processes: int,
    speed: Speed,
) -> tuple[int, int]:
    """Returns the blocks of a step, and how many steps the budget allows besides validations.

    A batch that was set is kept, and the steps follow from it.
    """
    assert config.budget is not None
    own_batch = config.pretrain.batch_blocks if "batch_blocks" in explicit else None
    seconds = parse_seconds(config.budget)
    if seconds is None:
        tokens = parse_tokens(config.budget)
        batch = own_batch or choose_batch_blocks(tokens, data, n_processes)
        return batch, round(tokens / (batch * data.block_tokens))
    one_validation_s = speed.validation_s(config.pretrain.validation_blocks)
    n_validations = _count_validations(seconds, one_validation_s)
    final_s = speed.validation_s(config.pretrain.final_validation_blocks)
    seconds = max(0.0, seconds - n_validations * one_validation_s - final_s)
    batch = own_batch or choose_batch_blocks(seconds * speed.tokens_per_s, data, n_processes)
    return batch, int(seconds / speed.step_s(batch * data.block_tokens))


def _count_validations(seconds: float, one_validation_s: float) -> int:
    return max(1, min(VALIDATIONS, int(VALIDATION_SHARE * seconds / one_validation_s)))


def _choose_training(
    config: RunConfig,
    explicit: frozenset[str],
    data: DataShape,
    n_processes: int,
    speed: Speed,
) -> Settings:
    batch, steps = _choose_batch_and_steps(config, explicit, data, n_processes, speed)
    if "steps" in explicit:
        steps = config.pretrain.steps
    elif steps < FEWEST_STEPS:
        raise ConfigError(
            f"budget={config.budget} allows only {steps} steps on this machine, too few to learn"
            " anything; choose a larger budget or a smaller size"
        )
    step_s = speed.step_s(batch * data.block_tokens)
    one_validation_s = speed.validation_s(config.pretrain.validation_blocks)
    validations = _count_validations(steps * step_s, one_validation_s)
    is_fresh = config.pretrain.start_from is None
    return {
        "optim": {
            **(scale_learning_rates(config.model.n_embd) if is_fresh else {}),
            "warmup_steps": min(max(10, steps // 100), 1000),
        },
        "pretrain": {
            "steps": steps,
            "batch_blocks": batch,
            "micro_batch_blocks": math.gcd(batch // n_processes, speed.micro_batch_blocks),
            "validate_every_steps": math.ceil(steps / (validations + 1)),
            "save_every_steps": max(1, min(steps, round(SAVE_EVERY_S / step_s))),
        },
    }


def _explain_model(config: RunConfig, data: DataShape) -> str:
    model = config.model
    return (
        f"size={config.size}: {model.n_layer} layers of width {model.n_embd},"
        f" {count_parameters(model, data) / 1e6:.1f}M parameters,"
        f" {data.vocab_size * model.n_embd / 1e6:.1f}M of them for {data.vocab_size:,} tokens"
    )


def _explain_training(
    config: RunConfig, explicit: frozenset[str], data: DataShape, speed: Speed
) -> list[str]:
    settings, optim = config.pretrain, config.optim
    batch = settings.batch_blocks * data.block_tokens
    step_s, tokens = speed.step_s(batch), settings.steps * batch
    n_validations = (settings.steps - 1) // settings.validate_every_steps
    validation_s = n_validations * speed.validation_s(settings.validation_blocks)
    validation_s += speed.validation_s(settings.final_validation_blocks)
    tokens_per_parameter = tokens / count_parameters(config.model, data)
    is_short = tokens_per_parameter < TOKENS_PER_PARAMETER
    speed_line = f"{batch / step_s:,.0f} tokens per second, measured here with this network"
    budget_line = (
        f"budget={config.budget}: {tokens / 1e6:,.1f}M tokens, {settings.steps} steps of"
        f" {step_s:.2f} s, {settings.steps * step_s / 60:,.1f} minutes in all, plus"
        f" {validation_s / 60:,.1f} minutes for {n_validations + 1} validations"
    )
    how = "as set" if "batch_blocks" in explicit else "scaled by the square root"
    batch_line = (
        f"batch: {settings.batch_blocks} blocks, {batch:,} tokens per step ({KNOWN_BATCH_TOKENS:,}"
        f" suit {KNOWN_TOKENS / 1e6:,.0f}M tokens; {how})"
    )
    why = f"the defaults suit a width of {KNOWN_WIDTH}; scaled by the inverse square root"
    if settings.start_from is not None:
        why = f"as set; none are chosen for a run that starts from {settings.start_from}"
    rates_line = (
        f"learning rates: {optim.matrix_learning_rate} (matrices) and {optim.learning_rate} ({why})"
    )
    advice_line = (
        f"{tokens_per_parameter:.1f} tokens per parameter; about {TOKENS_PER_PARAMETER} are best"
        f" for a given budget, so {'a smaller' if is_short else 'a larger'} size may reach a lower"
        " loss"
    )
    return [speed_line, budget_line, batch_line, rates_line, advice_line]
