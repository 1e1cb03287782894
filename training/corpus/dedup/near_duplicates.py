"""Near duplicates: documents whose sets of words are nearly the same.

A signature of minimal hashes finds candidates (documents that agree in one band of it), the exact
Jaccard similarity of their word sets decides. Documents come best first; one is dropped if it is
near to one already kept, so that no chain of small differences drops what is near to nothing kept.
Both halves see only numbers: where documents lie and which one is better is the caller's business
(:mod:`training.corpus.selection.selection`).

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
N_BANDS = 32  # of 8 hashes: a pair at the threshold of 0.85 is missed once in ten thousand times
MIN_WORDS = 10  # documents with fewer different ones are alike by chance
_SEED = 42

Signature = npt.NDArray[np.uint32]
Words = npt.NDArray[np.uint32]


@dataclass(frozen=True, kw_only=True)
class NearDuplicate:
    """Document ``index`` is dropped for document ``kept``, to which it is ``similarity`` near."""

    index: int
    kept: int
    similarity: float


def word_hashes(words: Iterable[str]) -> Words:
    """Returns the sorted 32-bit hashes of different words."""
    return np.unique(np.array([zlib.crc32(w.encode()) for w in words], np.uint32))


def sketch(texts: Sequence[str]) -> tuple[list[Words], Signature]:
    """Returns each text's word set, hashed and sorted, and the signatures ``[N, N_HASHES]``."""
    sets = [sorted(set(WORD.findall(text))) for text in texts]
    words = [word_hashes(s) for s in sets]
    hashes = RMinHash.from_token_sets(sets, N_HASHES, _SEED)
    signatures = np.array([h.digest() for h in hashes], np.uint32).reshape(-1, N_HASHES)
    return words, signatures


def jaccard(one: Words, other: Words) -> float:
    """Returns the share of all words that both sets have; 0 for two empty ones."""
    n_both = len(np.intersect1d(one, other, assume_unique=True))
    n_all = len(one) + len(other) - n_both
    return n_both / n_all if n_all else 0.0


def candidates(signatures: Signature) -> list[list[int]]:
    """Returns for each document its band buckets' numbers; only buckets of two or more count."""
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
    words_of: Callable[[Sequence[int]], dict[int, Words]],
    *,
    order: Sequence[int],
    threshold: float,
) -> list[NearDuplicate]:
    """Returns which documents are dropped, and for which.

    Args:
        signatures: ``[N, N_HASHES]``.
        words_of: Gives the word sets of the documents that are candidates at all; called once.
        order: All documents, the best first.
        threshold: The Jaccard similarity from which on two documents are near.
    """
    buckets = candidates(signatures)
    words = words_of([i for i, found in enumerate(buckets) if found])
    kept: dict[int, list[int]] = defaultdict(list)  # bucket to documents
    dropped = []
    for index in order:
        if not buckets[index] or len(words[index]) < MIN_WORDS:
            continue
        near = _nearest(index, {k for b in buckets[index] for k in kept.get(b, ())}, words)
        if near is not None and near.similarity >= threshold:
            dropped.append(near)
            continue
        for bucket in buckets[index]:
            kept[bucket].append(index)
    return dropped


def _nearest(index: int, others: set[int], words: dict[int, Words]) -> NearDuplicate | None:
    found = [(jaccard(words[index], words[other]), -other) for other in others]
    if not found:
        return None
    similarity, other = max(found)
    return NearDuplicate(index=index, kept=-other, similarity=similarity)
