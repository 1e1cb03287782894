"""What fits a size and a budget: depth, width, batch size and learning rates; pure functions.

The rules extrapolate our own measurements (``training/LOG.md``) by known scaling laws:

- The width is about 64 times the number of layers, and a head is 64 wide, as in GPT-2.
- The batch grows with the square root of the tokens, because the gradient noise scale grows as the
  loss falls (McCandlish et al. 2018, arXiv:1812.06162).
- Learning rates fall with the square root of the width: between not at all, as for Muon's matrices,
  and in proportion, as for Adam's (Yang et al. 2022, arXiv:2203.03466).
"""

import math
import re
from dataclasses import dataclass

from training.config import ModelConfig, OptimConfig
from training.foundation.errors import ConfigError

WIDTH_PER_LAYER = 64  # of the whole network
HEAD_WIDTH = 64
MAX_LAYERS = 128
KNOWN_WIDTH = 384  # for which the default learning rates were tuned
KNOWN_TOKENS, KNOWN_BATCH_TOKENS = 150e6, 16_384

_LARGEST = 1e18  # parameters, tokens or seconds
_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9}
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, kw_only=True)
class DataShape:
    """What the shards determine about a network."""

    vocab_size: int
    block_tokens: int


def parse_parameters(size: str) -> float:
    """Parses a number of parameters: ``17M``, ``1.5B``.

    Raises:
        ConfigError: It is not one.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMB])", size)
    if not found:
        raise ConfigError(f"size is {size!r}, expected a number of parameters such as 17M or 1.5B")
    return _check_finite(float(found[1]) * _UNITS[found[2]], size)


def parse_seconds(budget: str) -> float | None:
    """Parses a time: ``90s``, ``60min``, ``8h``, ``2d``; returns None if it is not one."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)", budget)
    return _check_finite(float(found[1]) * _SECONDS[found[2]], budget) if found else None


def parse_tokens(budget: str) -> float:
    """Parses a number of tokens: ``150M``.

    Raises:
        ConfigError: It is not one.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMB])", budget)
    if not found:
        raise ConfigError(
            f"budget is {budget!r}, expected a time such as 60min or 8h, or tokens such as 150M"
        )
    return _check_finite(float(found[1]) * _UNITS[found[2]], budget)


def _check_finite(number: float, text: str) -> float:
    if number > _LARGEST:
        raise ConfigError(f"{text:.40} is more than anybody can train; choose less")
    return number


def count_parameters(model: ModelConfig, data: DataShape) -> int:
    """Returns the number of parameters without biases and gains."""
    vectors = data.vocab_size + data.block_tokens
    return 12 * model.n_layer * model.n_embd**2 + vectors * model.n_embd


def choose_model(target: float, data: DataShape) -> ModelConfig:
    """Returns the network of about that many parameters with the best ratio of width to depth.

    Raises:
        ConfigError: The vocabulary alone is about as large.
    """
    smallest = ModelConfig(n_embd=HEAD_WIDTH, n_layer=1, n_head=1)
    if target < count_parameters(smallest, data) / 1.25:
        raise ConfigError(
            f"size: the smallest network for {data.vocab_size:,} tokens has"
            f" {count_parameters(smallest, data):,} parameters; choose a larger size, or a"
            " smaller tokenizer.vocab_size"
        )

    def misfit(model: ModelConfig) -> float:
        in_size = abs(math.log(count_parameters(model, data) / target))
        in_shape = abs(math.log(model.n_embd / (model.n_layer * WIDTH_PER_LAYER)))
        return 4 * in_size + in_shape  # the user asked for a size, not for a shape

    return min(
        (
            ModelConfig(n_embd=HEAD_WIDTH * n_head, n_layer=n_layer, n_head=n_head)
            for n_layer in range(1, MAX_LAYERS)
            for n_head in range(max(1, n_layer // 2), 2 * n_layer + 1)
        ),
        key=misfit,
    )


def choose_batch_blocks(tokens: float, data: DataShape, n_processes: int) -> int:
    """Returns the blocks of a step for a training on ``tokens``: a power of 2 per process."""
    ideal = KNOWN_BATCH_TOKENS * math.sqrt(tokens / KNOWN_TOKENS) / data.block_tokens
    return n_processes * int(2 ** round(math.log2(max(1.0, ideal / n_processes))))


def scale_learning_rates(n_embd: int) -> dict[str, float]:
    """Returns the settings of ``[optim]`` that depend on the width."""
    known, factor = OptimConfig(), math.sqrt(KNOWN_WIDTH / n_embd)
    return {
        "matrix_learning_rate": float(f"{known.matrix_learning_rate * factor:.2g}"),
        "learning_rate": float(f"{known.learning_rate * factor:.2g}"),
    }
