"""The network that a run trains: its initial weights, dtype and device."""

import dataclasses
from typing import Literal

import torch

from training.artifact.directory import load_artifact
from training.artifact.network.config import GPT2Config
from training.artifact.network.gpt2 import GPT2
from training.config import PretrainConfig
from training.foundation.errors import ConfigError
from training.step.init_weights import initialise


def build_model(config: GPT2Config, settings: PretrainConfig, device: torch.device) -> GPT2:
    """Returns the network, fresh or with the weights of ``pretrain.start_from``.

    Raises:
        ConfigError: That artifact's network differs from ``config``.
    """
    model = GPT2(config)
    if settings.start_from is None:
        initialise(model, torch.Generator().manual_seed(settings.seed))
    else:
        artifact = load_artifact(settings.start_from)
        start = dataclasses.replace(
            artifact.config, activation_function=config.activation_function
        )  # the two forms of GELU differ by less than bfloat16 rounds
        if start != config:
            raise ConfigError(
                f"{settings.start_from} and the config differ in"
                f" {_list_differences(artifact.config, config)}; set the config's values to the"
                " model's"
            )
        model.load_state_dict(dict(artifact.weights))
    model.transformer.gradient_checkpointing = settings.gradient_checkpointing
    return model.to(device, select_dtype(settings.dtype, device))


def _list_differences(found: GPT2Config, expected: GPT2Config) -> str:
    names = [field.name for field in dataclasses.fields(found)]
    pairs = [(name, getattr(found, name), getattr(expected, name)) for name in names]
    return ", ".join(f"{name} ({ours}, {theirs})" for name, ours, theirs in pairs if ours != theirs)


def select_dtype(
    name: Literal["auto", "float32", "bfloat16", "float16"], device: torch.device
) -> torch.dtype:
    """Returns the dtype to train in: bfloat16 if the hardware supports it.

    Otherwise it is float16 on a GPU and float32 on a CPU.
    """
    if name != "auto":
        return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(name, torch.float32)
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    fast = torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001 - no public function
    return torch.bfloat16 if fast else torch.float32
