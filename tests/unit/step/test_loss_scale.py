"""The scale of float16's loss: down at once, up after long, never silently."""

import math

import torch

from training.step.loss_scale import FIRST_SCALE, GOOD_STEPS, LossScale


def test_a_bad_step_is_left_out_and_halves_the_scale():
    scale = LossScale(torch.float16)
    assert not scale.update(math.inf)
    assert scale.value == FIRST_SCALE / 2
    assert all(scale.update(1.0) for _ in range(GOOD_STEPS))
    assert scale.value == FIRST_SCALE


def test_it_gives_up_where_the_scale_is_not_to_blame():
    scale = LossScale(torch.float16)
    while scale.can_decrease:
        scale.update(math.nan)
    assert scale.value > 0


def test_other_dtypes_have_no_scale():
    scale = LossScale(torch.bfloat16)
    assert not scale.update(math.nan)
    assert (scale.value, scale.can_decrease) == (1.0, False)


def test_a_checkpoint_brings_it_back():
    scale, other = LossScale(torch.float16), LossScale(torch.float16)
    for norm in (1.0, math.inf, 1.0):
        scale.update(norm)
    other.load_state(scale.state())
    assert other.state() == scale.state()
