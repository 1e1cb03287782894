"""Near duplicates: documents whose sets of words are nearly the same.

MinHash signatures find candidates (documents whose signatures agree in a band); the exact Jaccard
similarity of their word sets decides. Documents are considered in order of preference, and one is
dropped only if it is similar to one already kept, so that no chain of small differences drops a
document that resembles nothing kept. Everything here works on hashes; where the documents are and
which are preferred is up to :mod:`training.corpus.selection.selection`.

Source: Broder 1997, "On the resemblance and containment of documents"; the words as sets and the
threshold are CodeParrot's (Tunstall, von Werra and Wolf 2022).
"""

import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

WORD = re.compile(r"[A-Za-z0-9_]+")
N_HASHES = 256
N_BANDS = 32  # of 8 hashes: a pair at the threshold of 0.85 is missed once in ten thousand
# Documents of a bucket that later ones are compared with, so that a family of documents which
# resemble each other, but not enough, takes time in proportion to its size. A near duplicate shares
# eight buckets or so with what it resembles, and is missed only if all of them are full.
MAX_KEPT_OF_BUCKET = 64
MIN_WORDS = 10  # documents with fewer different words are similar by chance
_SEED = 42

Signature = npt.NDArray[np.uint32]
WordHashes = npt.NDArray[np.uint32]  # sorted, without duplicates


@dataclass(frozen=True, kw_only=True)
class NearDuplicate:
    """Document ``index`` is dropped for document ``kept``; ``similarity`` is Jaccard's."""

    index: int
    kept: int
    similarity: float


def hash_words(words: Iterable[str]) -> WordHashes:
    """Returns the 32-bit hashes of words."""
    return np.unique(np.array([zlib.crc32(w.encode()) for w in words], np.uint32))


def compute_sketches(texts: Sequence[str]) -> tuple[list[WordHashes], Signature]:
    """Returns each text's hashed words, and the signatures ``[N, N_HASHES]``."""
    sets = [sorted(set(WORD.findall(text))) for text in texts]
    words = [hash_words(s) for s in sets]
    hashes = RMinHash.from_token_sets(sets, N_HASHES, _SEED)
    signatures = np.array([h.digest() for h in hashes], np.uint32).reshape(-1, N_HASHES)
    return words, signatures


def compute_jaccard(one: WordHashes, other: WordHashes) -> float:
    """Returns the size of the intersection over that of the union; 0 for two empty sets."""
    n_both = len(np.intersect1d(one, other, assume_unique=True))
    n_all = len(one) + len(other) - n_both
    return n_both / n_all if n_all else 0.0


def find_buckets(signatures: Signature) -> list[list[int]]:
    """Returns the buckets of each document that it shares with others, by number."""
    buckets: list[list[int]] = [[] for _ in range(len(signatures))]
    width = N_HASHES // N_BANDS
    n_buckets = 0
    for band in range(N_BANDS):
        rows = np.ascontiguousarray(signatures[:, band * width : (band + 1) * width])
        keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * width))).ravel()
        _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        for document in np.flatnonzero(counts[inverse] > 1):
            buckets[document].append(n_buckets + int(inverse[document]))
        n_buckets += len(counts)
    return buckets


def find_near_duplicates(
    signatures: Signature,
    read_words: Callable[[Sequence[int]], dict[int, WordHashes]],
    *,
    order: Sequence[int],
    threshold: float,
) -> list[NearDuplicate]:
    """Returns the documents to drop.

    Args:
        signatures: ``[N, N_HASHES]``.
        read_words: Returns the hashed words of the documents that are candidates; called once.
        order: All documents, the preferred ones first.
        threshold: The least Jaccard similarity of near duplicates.
    """
    buckets = find_buckets(signatures)
    words = read_words([i for i, found in enumerate(buckets) if found])
    kept: dict[int, list[int]] = defaultdict(list)  # bucket to documents
    dropped = []
    for index in order:
        if not buckets[index] or len(words[index]) < MIN_WORDS:
            continue
        near = _find_nearest(index, {k for b in buckets[index] for k in kept.get(b, ())}, words)
        if near is not None and near.similarity >= threshold:
            dropped.append(near)
            continue
        for bucket in buckets[index]:
            if len(kept[bucket]) < MAX_KEPT_OF_BUCKET:
                kept[bucket].append(index)
    return dropped


def _find_nearest(
    index: int, others: set[int], words: dict[int, WordHashes]
) -> NearDuplicate | None:
    found = [(compute_jaccard(words[index], words[other]), -other) for other in others]
    if not found:
        return None
    similarity, other = max(found)
    return NearDuplicate(index=index, kept=-other, similarity=similarity)
