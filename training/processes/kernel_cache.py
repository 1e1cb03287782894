"""How many compiled kernels oneDNN keeps in a training process.

It compiles one for each shape of a product and keeps a thousand. Attention within documents has a
shape for each length of a document, so these would take more than a gigabyte before the first is
dropped; a few dozen are those that return in every step.
"""

import os

CAPACITY = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")


def limit_kernel_cache() -> None:
    """Sets the limit, unless the user has; call it before anything is computed."""
    os.environ.setdefault(*CAPACITY)
