"""Limits the share of the text that one package, or all tests together, may have.

Shares are measured in bytes, which tokens follow closely. Which documents are dropped depends on
their hashes alone. One limit affects the other: the number of tests to keep is found by bisection
with the package limit applied, and the remainder is dropped in turns. Called by
:mod:`training.corpus.selection.selection`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from training.corpus.config import BalanceConfig
from training.foundation.errors import CorpusError

OVER_PACKAGE_SHARE, OVER_TEST_SHARE = "above package share limit", "above test share limit"
SEARCH_STEPS = 20  # of bisection: to a millionth of the tests


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """The facts about a document that decide whether it is dropped."""

    package: str
    n_bytes: int
    is_test: bool
    draw: float  # 0 to 1, by hash; a package above its limit drops the highest first
    test_draw: float  # the same for tests, independent of ``draw``


def over_shares(documents: Mapping[int, Weighed], config: BalanceConfig) -> dict[int, str]:
    """Returns the documents to drop so that all shares stay within their limits, with the reason.

    Args:
        documents: All documents to train on, by index.
        config: Sets ``max_package_share`` and ``max_test_share``.

    Raises:
        CorpusError: There are too few packages for ``max_package_share``.
    """
    _check(documents, config)
    limit = _test_limit(documents, config)
    dropped = {
        i: OVER_TEST_SHARE for i, d in documents.items() if d.is_test and d.test_draw > limit
    }
    left = {index: one for index, one in documents.items() if index not in dropped}
    while True:
        over = dict.fromkeys(_over_package_share(left, config), OVER_PACKAGE_SHARE)
        over = over or dict.fromkeys(_over_test_share(left, config), OVER_TEST_SHARE)
        if not over:
            return dropped
        dropped |= over
        for index in over:
            del left[index]


def _test_limit(documents: Mapping[int, Weighed], config: BalanceConfig) -> float:
    """Returns the draw up to which tests are kept, with the package limit applied."""
    if config.max_test_share is None or not _over_test_share(documents, config):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(SEARCH_STEPS):
        middle = (low + high) / 2
        left = {i: d for i, d in documents.items() if not (d.is_test and d.test_draw > middle)}
        for index in _over_package_share(left, config):
            del left[index]
        if _over_test_share(left, config):
            high = middle
        else:
            low = middle
    return low


def _check(documents: Mapping[int, Weighed], config: BalanceConfig) -> None:
    n_packages = len({document.package for document in documents.values()})
    share = config.max_package_share
    if share is not None and n_packages and n_packages * share < 1:
        raise CorpusError(
            f"balance.max_package_share is {share}, but there are only {n_packages} packages to"
            f" train on; set it to {1 / n_packages:.3f} or more, or add packages"
        )


def _over_package_share(left: Mapping[int, Weighed], config: BalanceConfig) -> list[int]:
    if config.max_package_share is None:
        return []
    members = defaultdict(list)
    totals: Counter[str] = Counter()
    for index, document in left.items():
        members[document.package].append(index)
        totals[document.package] += document.n_bytes
    limit = largest_size(list(totals.values()), config.max_package_share)
    return [
        index
        for package, total in totals.items()
        if total > limit
        for index in _to_drop(left, members[package], total - limit, lambda one: one.draw)
    ]


def _over_test_share(left: Mapping[int, Weighed], config: BalanceConfig) -> list[int]:
    if config.max_test_share is None:
        return []
    tests = [index for index, document in left.items() if document.is_test]
    n_tests = sum(left[index].n_bytes for index in tests)
    n_others = sum(document.n_bytes for document in left.values()) - n_tests
    n_allowed = config.max_test_share / (1 - config.max_test_share) * n_others
    return _to_drop(left, tests, n_tests - n_allowed, lambda one: one.test_draw)


def _to_drop(
    left: Mapping[int, Weighed],
    indices: Collection[int],
    n_bytes: float,
    draw: Callable[[Weighed], float],
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


def largest_size(sizes: Sequence[int], share: float) -> float:
    """Returns the size to cut the largest to, so that none exceeds its share of the sum.

    If the k largest are cut to a size c and the others, r in total, stay as they are, c is the
    given share of k c + r.
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
