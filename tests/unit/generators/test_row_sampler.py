"""Samples of other models: each draws its own random numbers, from the right distribution."""

import pytest
import torch
from transformers import LogitsProcessorList, TopPLogitsWarper

from evaluation.generators.generator import Generation
from evaluation.generators.row_sampler import RowSampler
from evaluation.generators.transformers_generator import TransformersGenerator
from evaluation.problems.problem import Problem

PROBLEM = Problem(task_id="t/1", prompt="def add(a, b):\n", entry_point="add", test="")
LOGITS = torch.tensor([[2.0, -1.0, 0.5, -torch.inf, 1.0, 0.0]])


@pytest.fixture(scope="module")
def generator(tiny_artifact):
    return TransformersGenerator(str(tiny_artifact), "cpu")


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_a_sample_is_the_same_whatever_is_generated_beside_it(generator, temperature):
    """If it fails, a run with more samples is another run, and a resumed one as well."""

    def generate(n, first=0, seed=0):
        generation = Generation(n=n, temperature=temperature, max_new_tokens=12, seed=seed)
        return generator.generate(PROBLEM, generation, first=first)

    five = generate(5)
    assert len(five) == 5
    for n in (1, 2, 3):
        assert generate(n) == five[:n]
    assert generate(5, first=3) == five[3:]
    assert generate(2, first=2) == []
    if temperature:
        assert len(set(five)) == 5
        assert generate(5, seed=1) != five


@pytest.mark.parametrize("top_p", [1.0, 0.8, 0.01])
def test_tokens_are_drawn_as_often_as_they_are_likely(top_p):
    """If it fails, samples come from another distribution than temperature and nucleus say."""
    temperature = 0.7
    warped = LogitsProcessorList([TopPLogitsWarper(top_p)])(None, LOGITS / temperature)
    expected = torch.softmax(warped, dim=-1)[0]
    n = 4000
    sampler = RowSampler(range(n), temperature=temperature, top_p=top_p)
    chosen = sampler(torch.zeros(n, 1), LOGITS.expand(n, -1))
    assert (chosen.isfinite().sum(dim=-1) == 1).all()
    shares = torch.bincount(chosen.argmax(dim=-1), minlength=LOGITS.shape[-1]) / n
    assert torch.allclose(shares, expected, atol=0.03)
    assert (shares[expected == 0] == 0).all()


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_logits_that_are_no_numbers_are_refused(wrong, top_p):
    """If it fails, a damaged model is scored on noise."""
    logits = LOGITS.clone()
    logits[0, 1] = wrong
    with pytest.raises(ValueError, match="values that are not numbers"):
        RowSampler([0], temperature=1.0, top_p=top_p)(torch.zeros(1, 1), logits)
