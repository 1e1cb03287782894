"""How many compiled kernels a process keeps for products on a CPU.

oneDNN compiles one for each shape of a product and keeps a thousand; PyTorch keeps a thousand
again, and with them what they hold. Attention within documents has a shape for each length of a
document, and a server one for each length of a prompt, so in bfloat16 these would take over a
gigabyte before the first is dropped. A few dozen are those that return in every step.

Whatever makes a network calls this: both read their limit at their first product.
"""

import os

LIMIT = "64"
VARIABLES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")  # oneDNN's, PyTorch's


def limit_kernel_caches() -> None:
    """Sets the limits, unless the user has; call it before anything is computed."""
    for name in VARIABLES:
        os.environ.setdefault(name, LIMIT)
