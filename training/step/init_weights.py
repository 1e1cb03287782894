"""Initial weights of a network.

Matrices are drawn like GPT-2's. In the structured initialisation, two things that every trained
GPT-2 has, and learns slowly, are set from the start: position vectors in which the same distance
looks the same everywhere, and heads in the first layer that attend to a fixed number of tokens
back. They are ordinary weights and are trained like all others; the network and its files do not
know about them. The plain initialisation draws everything, as GPT-2 does.

Tensor legend: T positions, C embedding width, D width of one head, W waves.

Source: Radford et al. 2019 (scales); Vaswani et al. 2017, arXiv:1706.03762 (sinusoids); Elhage et
al. 2021, "A Mathematical Framework for Transformer Circuits" (heads for the token before).
"""

import math

import torch
from torch import Tensor

from training.artifact.network.config import INIT_STD, GPT2Config
from training.artifact.network.gpt2 import GPT2

POSITION_STD = 0.04  # of position vectors; smaller ones are drowned out by token vectors
FASTEST_RADIANS = 2.0  # per position; makes neighbours differ by more than equal tokens agree
LOOK_BACK_GAIN = 1.5  # puts nearly all of such a head's attention on its token
FREE_HEADS = 2  # of the first layer, initialised at random like all others


def initialise(model: GPT2, generator: torch.Generator, *, is_plain: bool = False) -> None:
    """Initialises the weights; residual projections are scaled down by depth.

    Args:
        model: The network.
        generator: Draws them.
        is_plain: Leave out position waves and look-back heads.
    """
    config = model.config
    residual_std = INIT_STD / math.sqrt(2 * config.n_layer)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("wpe.weight") and not is_plain:
                parameter.copy_(build_sinusoids(config))
            elif parameter.ndim > 1:
                std = residual_std if name.endswith("c_proj.weight") else INIT_STD
                parameter.normal_(0.0, std, generator=generator)
            else:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)  # gains of layer norms are 1
        if is_plain:
            return
        first = dict(model.named_parameters())["transformer.h.0.attn.c_attn.weight"]
        for head in range(config.n_head - FREE_HEADS):
            set_look_back_head(first, config, head=head, n_tokens=head + 1)


def compute_frequencies(config: GPT2Config) -> Tensor:
    """Returns ``[W]`` radians per position, from FASTEST_RADIANS down to about 1 / context."""
    n_waves = (config.n_embd + 1) // 2
    return torch.logspace(math.log10(FASTEST_RADIANS), -math.log10(config.n_positions), n_waves)


def build_sinusoids(config: GPT2Config) -> Tensor:
    """Returns position vectors ``[T, C]``: all sines, then all cosines."""
    angles = torch.arange(config.n_positions)[:, None] * compute_frequencies(config)  # [T, W]
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)[:, : config.n_embd]
    return POSITION_STD * math.sqrt(2.0) * waves


def set_look_back_head(weight: Tensor, config: GPT2Config, *, head: int, n_tokens: int) -> None:
    """Sets a head's queries and keys in ``weight`` ``[C, 3C]`` to attend ``n_tokens`` back.

    Keys are the fastest waves of their position, queries those of ``n_tokens`` earlier (each wave
    rotated); their product is greatest where both positions are equal.
    """
    head_width = config.n_embd // config.n_head
    n_waves = min(head_width, config.n_embd) // 2
    turns = compute_frequencies(config)[:n_waves] * n_tokens
    n_sines = (config.n_embd + 1) // 2
    sines, cosines = torch.arange(n_waves), torch.arange(n_waves) + n_sines  # rows of weight
    query = weight[:, head * head_width :][:, :head_width]
    key = weight[:, config.n_embd + head * head_width :][:, :head_width]
    query.zero_()
    key.zero_()
    first, second = torch.arange(n_waves), torch.arange(n_waves) + n_waves
    key[sines, first] = key[cosines, second] = LOOK_BACK_GAIN
    query[sines, first] = query[cosines, second] = LOOK_BACK_GAIN * turns.cos()
    query[cosines, first] = -LOOK_BACK_GAIN * turns.sin()
    query[sines, second] = LOOK_BACK_GAIN * turns.sin()
