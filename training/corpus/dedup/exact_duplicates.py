"""Exact duplicates: documents that differ in white space alone."""

import hashlib
import re
from collections.abc import Sequence

_SPACE = re.compile(r"\s+")


def hash_content(text: str) -> bytes:
    """Returns a hash of the text without its white space."""
    return hashlib.blake2b(_SPACE.sub("", text).encode(), digest_size=16).digest()


def find_exact_duplicates(keys: Sequence[bytes], order: Sequence[int]) -> dict[int, int]:
    """Returns each document to drop, with the equal one that is kept.

    Args:
        keys: The content key of each document.
        order: All documents, the preferred ones first.
    """
    first: dict[bytes, int] = {}
    dropped = {}
    for index in order:
        kept = first.setdefault(keys[index], index)
        if kept != index:
            dropped[index] = kept
    return dropped
