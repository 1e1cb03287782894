"""Near duplicates: found at the threshold, the preferred one kept, no chains."""

import random

import numpy as np
import pytest
from planted import similar_pair

from training.corpus.dedup import near_duplicates
from training.corpus.dedup.near_duplicates import (
    WORD,
    compute_jaccard,
    compute_sketches,
    find_near_duplicates,
)

THRESHOLD = 0.85


def find(texts, order=None):
    words, signatures = compute_sketches(texts)
    order = range(len(texts)) if order is None else order
    found = find_near_duplicates(
        signatures, lambda wanted: {i: words[i] for i in wanted}, order=order, threshold=THRESHOLD
    )
    return {(d.index, d.kept) for d in found}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("similarity", "is_dropped"), [(0.80, False), (0.86, True), (0.95, True)])
def test_planted_pairs_are_separated_at_the_threshold(similarity, is_dropped, seed):
    """If it fails, copies are learned by heart, or originals are lost."""
    assert find(similar_pair(similarity, seed=seed)) == ({(1, 0)} if is_dropped else set())


def test_the_preferred_document_is_kept():
    assert find(similar_pair(0.95), order=[1, 0]) == {(0, 1)}


def test_a_chain_drops_only_what_is_near_to_something_kept():
    """If it fails, a series of small changes loses its far end too."""
    names = [f"name_{i}" for i in range(440)]
    texts = [" ".join(names[start : start + 400]) for start in (0, 20, 40)]
    assert find(texts) == {(1, 0)}


def test_a_family_that_is_not_near_enough_takes_linear_time(monkeypatch):
    """If it fails, a package of generated files takes hours."""
    n_compared = 0

    def count(one, other):
        nonlocal n_compared
        n_compared += 1
        return compute_jaccard(one, other)

    monkeypatch.setattr(near_duplicates, "MAX_KEPT_OF_BUCKET", 2)
    monkeypatch.setattr(near_duplicates, "compute_jaccard", count)
    shared = " ".join(f"shared_{i}" for i in range(160))
    counts = []
    for n_texts in (100, 400):  # every two of them have a similarity of 0.8
        n_compared = 0
        texts = [shared + " ".join(f" own_{t}_{i}" for i in range(20)) for t in range(n_texts)]
        assert find(texts) == set()
        counts.append(n_compared)
    assert counts[1] < 6 * counts[0]


def test_short_texts_are_not_compared():
    assert find(["import os, sys", "import os, sys "]) == set()


def test_similarity_is_that_of_the_words():
    """The oracle: sets of strings instead of hashes."""
    chance = random.Random(3)
    for _ in range(50):
        texts = [" ".join(chance.choices("abcdefghijklmnop", k=9)) for _ in range(2)]
        sets = [set(WORD.findall(text)) for text in texts]
        words, _ = compute_sketches(texts)
        assert compute_jaccard(*words) == len(sets[0] & sets[1]) / len(sets[0] | sets[1])
    assert compute_jaccard(np.array([], np.uint32), np.array([], np.uint32)) == 0.0
