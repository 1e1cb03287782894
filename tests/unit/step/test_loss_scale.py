"""Loss scaling for float16: halved at once, doubled after many steps, never silently."""

import math

import pytest
import torch

from training.step.loss_scale import FIRST_SCALE, GOOD_STEPS, LossScale, LossScaleState


def test_a_step_without_finite_gradients_is_skipped_and_halves_the_scale():
    scale = LossScale(torch.float16)
    assert not scale.update(math.inf)
    assert scale.value == FIRST_SCALE / 2
    assert all(scale.update(1.0) for _ in range(GOOD_STEPS))
    assert scale.value == FIRST_SCALE


def test_it_gives_up_when_the_scale_is_not_the_cause():
    scale = LossScale(torch.float16)
    while scale.can_decrease:
        scale.update(math.nan)
    assert scale.value > 0


def test_other_dtypes_are_not_scaled():
    scale = LossScale(torch.bfloat16)
    assert not scale.update(math.nan)
    assert (scale.value, scale.can_decrease) == (1.0, False)


def test_a_checkpoint_restores_it():
    scale, other = LossScale(torch.float16), LossScale(torch.float16)
    for norm in (1.0, math.inf, 1.0):
        scale.update(norm)
    other.load_state(scale.state())
    assert other.state() == scale.state()


@pytest.mark.parametrize("saved", [LossScale(torch.bfloat16).state(), LossScaleState(value=1.0)])
def test_the_scale_of_a_run_in_another_dtype_is_not_taken_over(saved):
    """If it fails, small gradients are lost to whoever goes on in float16 on an older GPU."""
    half, other = LossScale(torch.float16), LossScale(torch.bfloat16)
    half.load_state(saved)
    assert half.value == FIRST_SCALE
    other.load_state(half.state())
    assert other.value == 1.0
