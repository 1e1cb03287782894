"""Whether this processor multiplies bfloat16 by instructions of its own.

Without them, products in bfloat16 are slower than in float32. It depends on the processor alone,
and not on a measurement: a run that is resumed must go on as it began.
"""

import torch

_INSTRUCTIONS = ("amx_bf16", "avx512_bf16")


def has_bfloat16_products() -> bool:
    """Returns whether it does."""
    found = torch.cpu.get_capabilities()
    return any(found.get(name) for name in _INSTRUCTIONS)
