"""A gate learns whom to trust, and its loss is that of the mixture it stands for."""

import math

import numpy as np
import pytest

from evaluation.memory.gate_examples import GateExample
from evaluation.memory.gate_fit import fit_gate, measure_gate
from server.memory.gate import Certainty, describe_token
from server.memory.token_memory import Match


def make_example(*, n_tokens, is_right):
    """A token of which the model is unsure, and a match that is right or not."""
    match = Match(n_tokens=n_tokens, ids=np.array([7]), counts=np.array([3]))
    return GateExample(
        package="one",
        features=describe_token(Certainty(best_id=1, best=0.4, second=0.3), [match]),
        shares=np.array([0.2, float(is_right), 0.0], np.float32),
        n_matches=1,
    )


@pytest.fixture(scope="module")
def examples():
    """Long matches are right nine times in ten, short ones never."""
    long = [make_example(n_tokens=12, is_right=number % 10 > 0) for number in range(60)]
    return [*long, *(make_example(n_tokens=1, is_right=False) for _ in range(60))]


def test_long_matches_are_trusted_and_short_ones_are_not(examples):
    """If it fails, the workspace makes suggestions worse, or never better."""
    gate = fit_gate(examples)
    assert gate.weigh(examples[0].features, 1)[1] > 0.7
    assert gate.weigh(examples[-1].features, 1)[1] < 0.1
    loss = measure_gate(gate, examples)
    assert loss.n_tokens == 120
    assert loss.alone == pytest.approx(-math.log(0.2), abs=1e-3)
    assert loss.mixed < 0.7 * loss.alone


def test_the_same_seed_fits_the_same_gate(examples):
    gates = [fit_gate(examples[50:70], seed=seed) for seed in (0, 0, 1)]
    assert gates[0].to_json() == gates[1].to_json() != gates[2].to_json()


def test_a_token_without_matches_keeps_the_models_probability(examples):
    alone = GateExample(
        package="one",
        features=describe_token(Certainty(best_id=1, best=0.5, second=0.1), []),
        shares=np.array([0.5, 0.0, 0.0], np.float32),
        n_matches=0,
    )
    loss = measure_gate(fit_gate(examples[50:70]), [alone])
    assert loss.mixed == pytest.approx(math.log(2), abs=1e-4)
