"""pass@k against brute force, its interval, and what it refuses."""

from itertools import combinations

import pytest

from evaluation.estimate import estimate, pass_at_k
from training.artifact.errors import ConfigError


@pytest.mark.parametrize("n", range(1, 8))
def test_pass_at_k_equals_brute_force(n):
    """If it fails, every score that was ever printed is wrong."""
    for n_passed in range(n + 1):
        outcomes = [True] * n_passed + [False] * (n - n_passed)
        for k in range(1, n + 1):
            draws = list(combinations(outcomes, k))
            expected = sum(any(draw) for draw in draws) / len(draws)
            assert pass_at_k(n, n_passed, k) == pytest.approx(expected)


def test_fewer_samples_than_k_is_an_error_not_a_dropped_problem():
    with pytest.raises(ConfigError, match="raise --n"):
        estimate([(5, 1), (2, 1)], 5)
    with pytest.raises(ConfigError, match="no judged problem"):
        estimate([], 1)


def test_interval_holds_the_value_and_narrows_with_more_problems():
    few = estimate([(5, 2), (5, 0), (5, 5), (5, 1)] * 5, 1)
    many = estimate([(5, 2), (5, 0), (5, 5), (5, 1)] * 100, 1)
    for found in (few, many):
        assert found.low <= found.value <= found.high
        assert found.value == pytest.approx(0.4)
    assert many.high - many.low < (few.high - few.low) / 2


def test_the_interval_is_the_same_for_the_same_seed():
    counts = [(5, i % 6) for i in range(30)]
    assert estimate(counts, 1, seed=3) == estimate(counts, 1, seed=3)
