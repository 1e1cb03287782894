"""An adaptation takes the time that it was allowed, whether that is short or long."""

import pytest

from training.adaptation.time_budget import (
    FIXED_S,
    GENERAL_PASSES,
    MAX_BITS_FILES,
    MAX_ITEMS,
    MIN_BITS_FILES,
    MIN_ITEMS,
    TimeBudget,
)

GENERAL_BYTES = 480_000


def make_budget(minutes):
    return TimeBudget(minutes, general_bytes=GENERAL_BYTES)


@pytest.mark.parametrize("minutes", [2.5, 3, 5, 10, 20, 60, 600])
def test_the_parts_take_what_is_allowed(minutes):
    """If it fails, a short adaptation takes twice as long as its user said."""
    budget = make_budget(minutes)
    general_s = GENERAL_PASSES * budget.general_s
    whole_s = FIXED_S + budget.training_s + 2 * budget.measuring_s + general_s
    assert whole_s == pytest.approx(60 * minutes, rel=0.01)


@pytest.mark.parametrize(("minutes", "share"), [(3, 0.25), (5, 0.4), (10, 0.6), (20, 0.66)])
def test_most_of_the_time_trains_where_there_is_enough(minutes, share):
    assert make_budget(minutes).training_s >= share * 60 * minutes


def test_more_time_measures_more_up_to_what_is_worth_it():
    budgets = [make_budget(minutes) for minutes in (0.1, 3, 5, 20, 60, 600)]
    for name in ("items", "typed_files", "bits_files", "measured_bytes", "training_s"):
        values = [getattr(budget, name) for budget in budgets]
        assert values == sorted(values)
        assert values[0] < values[-1]
    assert (budgets[0].items, budgets[0].bits_files) == (MIN_ITEMS, MIN_BITS_FILES)
    assert (budgets[-1].items, budgets[-1].bits_files) == (MAX_ITEMS, MAX_BITS_FILES)
    assert budgets[-1].measured_bytes == GENERAL_BYTES


def test_any_time_leaves_some_to_train_in():
    for minutes in (0.01, 1.0, 1440.0):
        for general_bytes in (0, 10_000, 10**9):
            budget = TimeBudget(minutes, general_bytes=general_bytes)
            assert budget.training_s > 0
            assert budget.items > 0
            assert 0 <= budget.measured_bytes <= general_bytes
