"""What fits a size and a budget: depth, width, batch, learning rates; pure functions.

The rules are measurements of ours (``training/LOG.md``) carried along known laws:

- Width is about 64 for each layer, and a head is 64 wide, as in GPT-2.
- The batch grows with the root of the tokens, for the gradient's noise scale grows as the loss
  falls (McCandlish et al. 2018, arXiv:1812.06162).
- Learning rates fall with the root of the width: between none at all, as for Muon's matrices, and
  the width itself, as for Adam's (Yang et al. 2022, arXiv:2203.03466).
"""

import math
import re
from dataclasses import dataclass

from training.config import ModelConfig, OptimConfig
from training.foundation.errors import ConfigError

WIDTH_OF_LAYER = 64  # of the network, for each of its layers
HEAD_WIDTH = 64
MAX_LAYERS = 128
KNOWN_WIDTH = 384  # where the defaults' learning rates were found
KNOWN_TOKENS, KNOWN_BATCH_TOKENS = 150e6, 16_384

_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9}
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, kw_only=True)
class Data:
    """What the shards decide about a network."""

    vocab_size: int
    block_tokens: int


def parameters_in(size: str) -> float:
    """Reads a number of parameters: ``17M``, ``1.5B``.

    Raises:
        ConfigError: It is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMB])", size)
    if not found:
        raise ConfigError(f"size is {size!r}, expected a number of parameters such as 17M or 1.5B")
    return float(found[1]) * _UNITS[found[2]]


def seconds_in(budget: str) -> float | None:
    """Reads a time: ``90s``, ``60min``, ``8h``, ``2d``; None if it is no time."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)", budget)
    return float(found[1]) * _SECONDS[found[2]] if found else None


def tokens_in(budget: str) -> float:
    """Reads a number of tokens: ``150M``.

    Raises:
        ConfigError: It is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMB])", budget)
    if not found:
        raise ConfigError(
            f"budget is {budget!r}, expected a time such as 60min or 8h, or tokens such as 150M"
        )
    return float(found[1]) * _UNITS[found[2]]


def n_parameters(model: ModelConfig, data: Data) -> int:
    """Returns the number of parameters, biases and gains left out."""
    vectors = data.vocab_size + data.block_tokens
    return 12 * model.n_layer * model.n_embd**2 + vectors * model.n_embd


def shape_for(wanted: float, data: Data) -> ModelConfig:
    """Returns the network of about that many parameters whose width fits its depth best.

    Raises:
        ConfigError: The vocabulary alone is about as large.
    """
    smallest = ModelConfig(n_embd=HEAD_WIDTH, n_layer=1, n_head=1)
    if wanted < n_parameters(smallest, data) / 1.25:
        raise ConfigError(
            f"size: the smallest network for {data.vocab_size:,} tokens has"
            f" {n_parameters(smallest, data):,} parameters; choose a larger size, or a"
            " smaller tokenizer.vocab_size"
        )

    def misfit(model: ModelConfig) -> float:
        in_size = abs(math.log(n_parameters(model, data) / wanted))
        in_form = abs(math.log(model.n_embd / (model.n_layer * WIDTH_OF_LAYER)))
        return 4 * in_size + in_form  # a size was asked for, a form was not

    return min(
        (
            ModelConfig(n_embd=HEAD_WIDTH * n_head, n_layer=n_layer, n_head=n_head)
            for n_layer in range(1, MAX_LAYERS)
            for n_head in range(max(1, n_layer // 2), 2 * n_layer + 1)
        ),
        key=misfit,
    )


def batch_blocks_for(tokens: float, data: Data, n_processes: int) -> int:
    """Returns the blocks of a step for a training on so many tokens: 2**n for each process."""
    wanted = KNOWN_BATCH_TOKENS * math.sqrt(tokens / KNOWN_TOKENS) / data.block_tokens
    return n_processes * int(2 ** round(math.log2(max(1.0, wanted / n_processes))))


def learning_rates_for(n_embd: int) -> dict[str, float]:
    """Returns the settings of ``[optim]`` that depend on the width."""
    known, factor = OptimConfig(), math.sqrt(KNOWN_WIDTH / n_embd)
    return {
        "matrix_learning_rate": float(f"{known.matrix_learning_rate * factor:.2g}"),
        "learning_rate": float(f"{known.learning_rate * factor:.2g}"),
    }
