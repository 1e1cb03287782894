"""The network's config, and its form in transformers' ``config.json``.

Separate from the network itself, so that reading a config does not load torch.
"""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from training.foundation.config_schema import RangedConfig, number_field

# Far beyond what anybody trains; they keep a config from elsewhere from taking all time and memory
# before a weight is read.
MAX_LAYERS, MAX_WIDTH, MAX_ROWS = 1024, 1 << 16, 1 << 24
INIT_STD = 0.02  # Radford et al. 2019, GPT-2
EMBEDDING = "transformer.wte.weight"  # the output layer too


@dataclass(frozen=True, kw_only=True)
class GPT2Config(RangedConfig):
    """The sizes of the network, with transformers' names."""

    vocab_size: int = number_field(least=1, most=MAX_ROWS)
    n_positions: int = number_field(1024, least=1, most=MAX_ROWS)
    n_embd: int = number_field(384, least=1, most=MAX_WIDTH)
    n_layer: int = number_field(6, least=1, most=MAX_LAYERS)
    n_head: int = number_field(6, least=1, most=MAX_WIDTH)
    layer_norm_epsilon: float = number_field(1e-5, least=0, most=1)
    activation_function: Literal["gelu_new", "gelu"] = "gelu_new"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd ({self.n_embd}) must be a multiple of n_head ({self.n_head})")

    @property
    def gelu_form(self) -> str:
        """The activation as torch names it: OpenAI's approximation, or the exact form.

        They differ by less than 0.0005 everywhere; on a CPU the exact one is four times as fast.
        """
        return "tanh" if self.activation_function == "gelu_new" else "none"


def list_differences(found: GPT2Config, expected: GPT2Config) -> list[tuple[str, object, object]]:
    """Returns the settings that differ, each as its name, what was found and what was expected."""
    names = [field.name for field in dataclasses.fields(found)]
    values = ((name, getattr(found, name), getattr(expected, name)) for name in names)
    return [(name, theirs, ours) for name, theirs, ours in values if theirs != ours]


def parameter_shapes(config: GPT2Config) -> dict[str, tuple[int, ...]]:
    """Returns the shape of every parameter by name, in the network's order.

    A second definition, which a test compares with the network: building the network without
    weights would load half of torch and add 1.5 seconds to each start of the server.
    """
    width = config.n_embd
    shapes: dict[str, tuple[int, ...]] = {
        EMBEDDING: (config.vocab_size, width),
        "transformer.wpe.weight": (config.n_positions, width),
    }
    parts = {
        "ln_1": ((width,), (width,)),
        "attn.c_attn": ((width, 3 * width), (3 * width,)),
        "attn.c_proj": ((width, width), (width,)),
        "ln_2": ((width,), (width,)),
        "mlp.c_fc": ((width, 4 * width), (4 * width,)),
        "mlp.c_proj": ((4 * width, width), (width,)),
    }
    for layer in range(config.n_layer):
        for part, (weight, bias) in parts.items():
            shapes[f"transformer.h.{layer}.{part}.weight"] = weight
            shapes[f"transformer.h.{layer}.{part}.bias"] = bias
    shapes["transformer.ln_f.weight"] = shapes["transformer.ln_f.bias"] = (width,)
    return shapes


def transformers_config(
    config: GPT2Config, *, end_of_text_id: int, dtype: str
) -> dict[str, object]:
    """Returns the ``config.json`` from which transformers builds the same network."""
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": config.activation_function,
        "vocab_size": config.vocab_size,
        "n_positions": config.n_positions,
        "n_ctx": config.n_positions,
        "n_embd": config.n_embd,
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "layer_norm_epsilon": config.layer_norm_epsilon,
        "initializer_range": INIT_STD,
        "attn_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "resid_pdrop": 0.0,
        "bos_token_id": end_of_text_id,
        "eos_token_id": end_of_text_id,
        "tie_word_embeddings": True,
        "dtype": dtype,
    }
