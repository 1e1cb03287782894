"""Shares of packages and tests: kept exactly, by hash, with as little dropped as possible."""

import random

import pytest

from training.corpus.config import BalanceConfig
from training.corpus.filters.sampling_weights import is_test
from training.corpus.selection.balance import (
    OVER_PACKAGE_SHARE,
    OVER_TEST_SHARE,
    TrainingDocument,
    compute_size_limit,
    limit_shares,
)
from training.foundation.config_schema import from_mapping
from training.foundation.errors import ConfigError, CorpusError


def make_document(package, n_bytes, draw, *, is_test=False):
    return TrainingDocument(
        package=package,
        n_bytes=n_bytes,
        is_test=is_test,
        draw=draw.random(),
        test_draw=draw.random(),
    )


def documents(sizes, *, tests=0.0, seed=0):
    """One document of 10 to 100 bytes after the other until each package has its size."""
    draw = random.Random(seed)
    found = []
    for package, size in sizes.items():
        left = size
        while left > 0:
            n_bytes = draw.randint(10, 100)
            is_test = draw.random() < tests
            found.append(make_document(package, n_bytes, draw, is_test=is_test))
            left -= n_bytes
    return dict(enumerate(found))


def shares(found, dropped):
    kept = [document for index, document in found.items() if index not in dropped]
    total = sum(document.n_bytes for document in kept)
    packages = {}
    for document in kept:
        packages[document.package] = packages.get(document.package, 0) + document.n_bytes
    n_tests = sum(document.n_bytes for document in kept if document.is_test)
    return max(packages.values()) / total, n_tests / total, total


SIZES = {f"p{i}": 2000 for i in range(30)} | {"large": 60_000, "larger": 90_000}


def test_packages_and_tests_stay_within_their_shares():
    """If it fails, one large project speaks for all of Python."""
    found = documents(SIZES, tests=0.5)
    config = BalanceConfig(max_package_share=0.06, max_test_share=0.25)
    dropped = limit_shares(found, config)
    package, tests, total = shares(found, dropped)
    assert 0.055 < package <= 0.06
    assert 0.24 < tests <= 0.25
    assert set(dropped.values()) == {OVER_PACKAGE_SHARE, OVER_TEST_SHARE}
    assert total > 40_000, "far more was dropped than had to be"


def test_large_packages_lose_tests_and_code_in_proportion():
    """If it fails, what is left of a large project are its tests, or none of them."""
    found = documents(SIZES, tests=0.5)
    dropped = limit_shares(found, BalanceConfig(max_package_share=0.06))
    kept = [d for i, d in found.items() if i not in dropped and d.package == "larger"]
    assert 0.4 < sum(d.n_bytes for d in kept if d.is_test) / sum(d.n_bytes for d in kept) < 0.6


def test_the_same_documents_are_dropped_in_any_order():
    found = documents(SIZES, tests=0.5)
    config = BalanceConfig(max_package_share=0.06, max_test_share=0.25)
    shuffled = dict(sorted(found.items(), key=lambda item: item[1].draw))
    assert limit_shares(found, config) == limit_shares(shuffled, config)


def test_nothing_is_dropped_within_the_shares():
    found = documents(SIZES, tests=0.1)
    assert limit_shares(found, BalanceConfig(max_test_share=0.25)) == {}
    assert limit_shares(found, BalanceConfig(max_package_share=0.5)) == {}
    assert limit_shares(found, BalanceConfig()) == {}
    assert limit_shares({}, BalanceConfig(max_package_share=0.1, max_test_share=0.1)) == {}


def test_a_tighter_share_drops_more_of_the_same_documents():
    """Drawn by hash: the documents with the highest draws go first."""
    found = documents({f"p{i}": 2000 for i in range(10)}, tests=1.0)
    found |= {10_000: make_document("q", 9000, random.Random(0))}
    loose = limit_shares(found, BalanceConfig(max_test_share=0.5))
    tight = limit_shares(found, BalanceConfig(max_test_share=0.25))
    assert set(loose) < set(tight)
    assert min(found[i].test_draw for i in loose) >= max(
        found[i].test_draw for i in found if found[i].is_test and i not in loose
    )


def test_too_few_packages_for_a_share_are_one_sentence():
    found = documents({"a": 1000, "b": 1000})
    with pytest.raises(CorpusError, match=r"only 2 packages.*0\.500 or more"):
        limit_shares(found, BalanceConfig(max_package_share=0.1))


@pytest.mark.parametrize("share", [0.0, 1.0, 1.5])
def test_a_share_is_between_0_and_1(share):
    with pytest.raises(ConfigError, match=r"expected (a share|0 to 1)"):
        from_mapping(BalanceConfig, {"max_test_share": share}, where="x")


def test_the_largest_size_is_its_share_of_the_sum():
    for seed in range(20):
        draw = random.Random(seed)
        sizes = [int(draw.paretovariate(1.0) * 100) for _ in range(50)]
        limit = compute_size_limit(sizes, 0.04)
        cut = [min(size, limit) for size in sizes]
        assert max(cut) <= 0.04 * sum(cut) * (1 + 1e-9)
        if max(sizes) > limit:
            assert max(cut) == pytest.approx(0.04 * sum(cut)), "cut more than needed"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("p-1/tests/a.py", True),
        ("p-1/pkg/app/tests.py", True),
        ("p-1/pkg_test/a.py", True),
        ("p-1/unittests/a.py", True),
        ("p-1/test_data/a.py", True),
        ("p-1/a_tests.py", True),
        ("p-1/conftest.py", True),
        ("p-1/latest/contest.py", False),
        ("pytest-9.2.0/src/pytest/a.py", False),
        ("p-1/attest.py", False),
        ("p-1/testimony/a.py", False),
    ],
)
def test_tests_are_known_by_folder_or_name(path, expected):
    assert is_test(path) == expected
