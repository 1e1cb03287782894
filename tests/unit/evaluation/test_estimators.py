"""pass@k against brute force, its interval, and the comparison of two runs."""

import random
from itertools import combinations
from statistics import fmean

import pytest

from evaluation.runs.estimators import compare_paired, estimate_pass_at_k, pass_at_k
from training.foundation.errors import ConfigError


@pytest.mark.parametrize("n", range(1, 8))
def test_pass_at_k_equals_brute_force(n):
    """If it fails, every reported score is wrong."""
    for n_passed in range(n + 1):
        outcomes = [True] * n_passed + [False] * (n - n_passed)
        for k in range(1, n + 1):
            draws = list(combinations(outcomes, k))
            expected = sum(any(draw) for draw in draws) / len(draws)
            assert pass_at_k(n, n_passed, k) == pytest.approx(expected)


def test_fewer_samples_than_k_is_an_error_not_a_dropped_problem():
    with pytest.raises(ConfigError, match=r"pass@5 needs at least 5 samples .* lower --k"):
        estimate_pass_at_k([(5, 1), (2, 1)], 5)
    with pytest.raises(ConfigError, match="no problem has been judged"):
        estimate_pass_at_k([], 1)


def test_the_interval_contains_the_value_and_narrows_with_more_problems():
    few = estimate_pass_at_k([(5, 2), (5, 0), (5, 5), (5, 1)] * 5, 1)
    many = estimate_pass_at_k([(5, 2), (5, 0), (5, 5), (5, 1)] * 100, 1)
    for found in (few, many):
        assert found.low <= found.value <= found.high
        assert found.value == pytest.approx(0.4)
    assert many.high - many.low < (few.high - few.low) / 2


@pytest.mark.parametrize("passed", [0, 5])
def test_the_interval_has_a_width_at_0_and_100_percent(passed):
    """A bootstrap would report 0 of 20 as exactly 0%."""
    found = estimate_pass_at_k([(5, passed)] * 20, 1)
    assert found.low < found.value or found.value == 0.0
    assert found.high > found.value or found.value == 1.0
    assert 0.05 < found.high - found.low < 0.2


@pytest.mark.parametrize(
    ("alpha", "beta", "n", "k"),
    [(0.3, 3.0, 5, 1), (0.3, 3.0, 10, 5), (0.1, 5.0, 5, 1), (2.0, 2.0, 5, 1), (5.0, 0.5, 10, 10)],
)
def test_95_percent_intervals_cover_the_truth(alpha, beta, n, k):
    """Random problems and samples: about 95% of the intervals contain the true score.

    If it fails, users believe in differences between models that do not exist.
    """
    chance = random.Random(0)
    difficulties = [chance.betavariate(alpha, beta) for _ in range(100_000)]
    truth = fmean(1 - (1 - p) ** k for p in difficulties)
    rounds, inside = 400, 0
    for _ in range(rounds):
        counts = [
            (n, sum(chance.random() < p for _ in range(n)))
            for p in (chance.betavariate(alpha, beta) for _ in range(164))
        ]
        found = estimate_pass_at_k(counts, k)
        inside += found.low <= truth <= found.high
    assert inside / rounds >= 0.92


def test_equal_models_seldom_differ_significantly():
    """About one in twenty comparisons of a model with itself has a p-value below 0.05."""
    chance = random.Random(1)
    found = 0
    for _ in range(60):
        ps = [chance.betavariate(0.5, 2.0) for _ in range(60)]
        first, second = (
            [(5, sum(chance.random() < p for _ in range(5))) for p in ps] for _ in range(2)
        )
        found += compare_paired(first, second, 1, resamples=400).p_value < 0.05
    assert found <= 9


def test_a_better_run_differs_significantly_from_a_worse_one():
    first, second = [(5, 3)] * 30, [(5, 2)] * 30
    found = compare_paired(first, second, 1)
    assert found.value == pytest.approx(0.2)
    assert found.p_value < 0.001
    with pytest.raises(ConfigError, match="no problem in common"):
        compare_paired(first, second[:3], 1)
