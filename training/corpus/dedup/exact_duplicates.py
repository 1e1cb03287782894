"""Exact duplicates, blind to white space."""

import hashlib
import re
from collections.abc import Sequence

_SPACE = re.compile(r"\s+")


def content_key(text: str) -> bytes:
    """Returns a hash of the text that white space does not change."""
    return hashlib.blake2b(_SPACE.sub("", text).encode(), digest_size=16).digest()


def find_exact_duplicates(keys: Sequence[bytes], order: Sequence[int]) -> dict[int, int]:
    """Returns which documents are dropped, and for which.

    Args:
        keys: The content key of each document.
        order: All documents, the best first.
    """
    first: dict[bytes, int] = {}
    dropped = {}
    for index in order:
        kept = first.setdefault(keys[index], index)
        if kept != index:
            dropped[index] = kept
    return dropped
