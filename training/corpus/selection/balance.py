"""Balances the training documents: by sampling weight, package size, and shares of the text.

Shares are measured in bytes, which tokens follow closely. Which documents are dropped depends on
their hashes alone. The limits on packages and on tests affect each other: the number of tests to
keep is found by bisection with the package limit applied, and the remainder is dropped alternately.
Called by :mod:`training.corpus.selection.selection`.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from training.corpus.config import BalanceConfig
from training.foundation.errors import CorpusError

DOWN_WEIGHTED, OVER_CAP = "down-weighted", "over the package's cap"
OVER_PACKAGE_SHARE, OVER_TEST_SHARE = "above package share limit", "above test share limit"
BALANCE_REASONS = (DOWN_WEIGHTED, OVER_CAP, OVER_PACKAGE_SHARE, OVER_TEST_SHARE)
SEARCH_STEPS = 20  # of bisection: to a millionth of the tests


@dataclass(frozen=True, kw_only=True)
class TrainingDocument:
    """The facts about a document that decide whether it is dropped.

    Attributes:
        package: Its package.
        n_bytes: Its size.
        is_test: Whether it is a test.
        draw: 0 to 1, from its hash; the highest are dropped first.
        test_draw: The same for the limit on tests, independent of ``draw``.
        weight: The share of such documents to keep.
    """

    package: str
    n_bytes: int
    is_test: bool
    draw: float
    test_draw: float
    weight: float = 1.0


def draw_fraction(key: str, seed: int) -> float:
    """Returns a number from 0 to 1 that depends on ``key`` and ``seed`` alone."""
    digest = hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def balance(documents: Mapping[int, TrainingDocument], config: BalanceConfig) -> dict[int, str]:
    """Returns the documents to drop, each with its reason.

    Args:
        documents: All documents to train on, by index.
        config: The weights, caps and shares.

    Raises:
        CorpusError: There are too few packages for ``max_package_share``.
    """
    dropped = {i: DOWN_WEIGHTED for i, d in documents.items() if d.draw >= d.weight}
    if config.max_package_bytes is not None:
        taken: Counter[str] = Counter()
        for i in sorted(documents, key=lambda i: documents[i].draw):
            if i not in dropped:
                taken[documents[i].package] += documents[i].n_bytes
                if taken[documents[i].package] > config.max_package_bytes:
                    dropped[i] = OVER_CAP
    left = {i: document for i, document in documents.items() if i not in dropped}
    return dropped | limit_shares(left, config)


def limit_shares(
    documents: Mapping[int, TrainingDocument], config: BalanceConfig
) -> dict[int, str]:
    """Returns the documents to drop so that all shares stay within their limits.

    Args:
        documents: All documents to train on, by index.
        config: Sets ``max_package_share`` and ``max_test_share``.

    Raises:
        CorpusError: There are too few packages for ``max_package_share``.
    """
    _check_package_share(documents, config)
    limit = _find_test_limit(documents, config)
    dropped = {
        i: OVER_TEST_SHARE for i, d in documents.items() if d.is_test and d.test_draw > limit
    }
    left = {index: one for index, one in documents.items() if index not in dropped}
    while True:
        over = dict.fromkeys(_exceed_package_share(left, config), OVER_PACKAGE_SHARE)
        over = over or dict.fromkeys(_exceed_test_share(left, config), OVER_TEST_SHARE)
        if not over:
            return dropped
        dropped |= over
        for index in over:
            del left[index]


def _find_test_limit(documents: Mapping[int, TrainingDocument], config: BalanceConfig) -> float:
    """Returns the draw up to which tests are kept, with the package limit applied."""
    if config.max_test_share is None or not _exceed_test_share(documents, config):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(SEARCH_STEPS):
        middle = (low + high) / 2
        left = {i: d for i, d in documents.items() if not (d.is_test and d.test_draw > middle)}
        for index in _exceed_package_share(left, config):
            del left[index]
        if _exceed_test_share(left, config):
            high = middle
        else:
            low = middle
    return low


def _check_package_share(documents: Mapping[int, TrainingDocument], config: BalanceConfig) -> None:
    n_packages = len({document.package for document in documents.values()})
    share = config.max_package_share
    if share is not None and n_packages and n_packages * share < 1:
        raise CorpusError(
            f"balance.max_package_share is {share}, but there are only {n_packages} packages to"
            f" train on; set it to {1 / n_packages:.3f} or more, or add packages"
        )


def _exceed_package_share(left: Mapping[int, TrainingDocument], config: BalanceConfig) -> list[int]:
    if config.max_package_share is None:
        return []
    members = defaultdict(list)
    totals: Counter[str] = Counter()
    for index, document in left.items():
        members[document.package].append(index)
        totals[document.package] += document.n_bytes
    limit = compute_size_limit(list(totals.values()), config.max_package_share)
    return [
        index
        for package, total in totals.items()
        if total > limit
        for index in _drop_highest(left, members[package], total - limit, lambda one: one.draw)
    ]


def _exceed_test_share(left: Mapping[int, TrainingDocument], config: BalanceConfig) -> list[int]:
    if config.max_test_share is None:
        return []
    tests = [index for index, document in left.items() if document.is_test]
    n_tests = sum(left[index].n_bytes for index in tests)
    n_others = sum(document.n_bytes for document in left.values()) - n_tests
    n_allowed = config.max_test_share / (1 - config.max_test_share) * n_others
    return _drop_highest(left, tests, n_tests - n_allowed, lambda one: one.test_draw)


def _drop_highest(
    left: Mapping[int, TrainingDocument],
    indices: Collection[int],
    n_bytes: float,
    draw: Callable[[TrainingDocument], float],
) -> list[int]:
    """Returns the documents with the highest draws, ``n_bytes`` of them."""
    chosen: list[int] = []
    if n_bytes <= 0:
        return chosen
    for index in sorted(indices, key=lambda i: (-draw(left[i]), i)):
        chosen.append(index)
        n_bytes -= left[index].n_bytes
        if n_bytes <= 0:
            break
    return chosen


def compute_size_limit(sizes: Sequence[int], share: float) -> float:
    """Returns the size to cut the largest to, so that none exceeds its share of the sum.

    If the k largest are cut to size c and the others sum to r, then c is ``share`` times k c + r.
    """
    ordered = sorted(sizes, reverse=True)
    rest = sum(ordered)
    for n_cut in range(len(ordered)):
        if n_cut * share >= 1:
            break
        limit = share * rest / (1 - n_cut * share)
        if ordered[n_cut] <= limit * (1 + 1e-12):
            return max(limit, ordered[n_cut])
        rest -= ordered[n_cut]
    return float(ordered[-1]) if ordered else 0.0
