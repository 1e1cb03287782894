"""The network that a run trains: its initial weights, dtype and device."""

import dataclasses
import hashlib
import math
import os
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from training.artifact.directory import load_artifact
from training.artifact.network.config import (
    EMBEDDING,
    GPT2Config,
    list_differences,
    parameter_shapes,
)
from training.artifact.network.gpt2 import GPT2
from training.config import ModelConfig, PretrainConfig
from training.foundation.errors import ConfigError
from training.step.init_weights import initialise

ROW_MULTIPLE = 64  # rows of the embedding: whole tiles for the product of the output layer
_CONTEXT = "n_positions"
_WEIGHT_BYTES = 4  # of a parameter: float32
_TRAINING_BYTES = 12  # and its gradient and at least one moment


def build_model(config: GPT2Config, settings: PretrainConfig, device: torch.device) -> GPT2:
    """Returns the network, fresh or with the weights of ``pretrain.start_from``.

    Raises:
        ConfigError: That artifact's network differs from ``config``, or is too large.
    """
    check_memory(config, settings, device)
    n_rows = -(-config.vocab_size // ROW_MULTIPLE) * ROW_MULTIPLE
    model = GPT2(config, n_rows=n_rows)
    if settings.start_from is None:
        generator = torch.Generator().manual_seed(settings.seed)
        initialise(model, generator, is_plain=settings.initialisation == "plain")
    else:
        artifact = load_artifact(settings.start_from)
        start = dataclasses.replace(
            artifact.config, activation_function=config.activation_function
        )  # the two forms of GELU differ by less than bfloat16 rounds
        if start != config:
            differences = list_differences(artifact.config, config)
            named = ", ".join(f"{name} ({found}, {ours})" for name, found, ours in differences)
            raise ConfigError(
                f"{settings.start_from} and the config differ in {named};"
                f" {_advise_config(artifact.config, [name for name, *_ in differences])}"
            )
        weights = dict(artifact.weights)
        model.load_state_dict({**weights, EMBEDDING: _pad_rows(weights[EMBEDDING], n_rows)})
    model.transformer.gradient_checkpointing = settings.gradient_checkpointing
    model.set_dropout(settings.dropout)
    return model.to(device, select_dtype(settings.dtype, device))


def _advise_config(wanted: GPT2Config, names: Sequence[str]) -> str:
    """Returns what to do for a config's network to become another one."""
    keys = [name for name in names if name in {f.name for f in dataclasses.fields(ModelConfig)}]
    if set(names) - {*keys, _CONTEXT}:  # no setting changes these
        return "start from another model"
    advice = []
    if keys:
        advice.append("set " + " ".join(f"model.{key}={getattr(wanted, key)}" for key in keys))
    if _CONTEXT in names:
        advice.append(f"prepare the shards again with shards.block_tokens={wanted.n_positions}")
    return ", and ".join(advice)


def seed_dropout(settings: PretrainConfig, step: int, process: int) -> None:
    """Makes what a process drops in a step a function of seed, step and process alone.

    So a resumed run drops what the interrupted one would have; another number of processes drops
    other values, though.
    """
    if settings.dropout:
        key = f"dropout:{settings.seed}:{step}:{process}".encode()
        torch.manual_seed(int.from_bytes(hashlib.sha256(key).digest()[:7], "big"))


def _pad_rows(weight: Tensor, n_rows: int) -> Tensor:
    return functional.pad(weight, (0, 0, 0, n_rows - len(weight)))


def check_memory(config: GPT2Config, settings: PretrainConfig, device: torch.device) -> None:
    """Refuses a network that this machine cannot train, before anything is allocated.

    Counts weights, gradients and moments alone, so what passes may still be too large.

    Raises:
        ConfigError: The memory of the machine, or of the device, is too small.
    """
    n_parameters = sum(math.prod(shape) for shape in parameter_shapes(config).values())
    needs = {torch.device("cpu"): n_parameters * _WEIGHT_BYTES}  # it is built there
    if not settings.shard_model:
        needs[torch.device(device.type)] = n_parameters * _TRAINING_BYTES
    for where, needed in needs.items():
        found = _memory_bytes(where)
        if found is not None and needed > found:
            raise ConfigError(
                f"the network has {n_parameters:,} parameters, for whose training {where.type}"
                f" needs at least {needed >> 30:,} GiB of memory but has {found >> 30:,}; choose"
                " smaller model.n_embd and model.n_layer, or size"
            )


def _memory_bytes(device: torch.device) -> int | None:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    if device.type != "cpu":
        return None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None


def select_dtype(
    name: Literal["auto", "float32", "bfloat16", "float16"], device: torch.device
) -> torch.dtype:
    """Returns the dtype to train in: bfloat16 if the hardware computes in it.

    Otherwise it is float16 on a GPU and float32 on a CPU.
    """
    if name != "auto":
        return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(name, torch.float32)
    if device.type == "cuda":
        is_native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if is_native else torch.float16
    fast = torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001 - no public function
    return torch.bfloat16 if fast else torch.float32
