"""How far a run is, what it measures, and what a stop request does."""

import json
import math
import os
import signal
from types import SimpleNamespace

import pytest
import torch

from training.processes.collective import StopRequest
from training.run.run_metrics import StepMetrics, ValidationMetrics, read_metrics
from training.run.trainer_state import TrainerState
from training.step.objective import average_losses
from training.step.throughput import Throughput
from training.validate import Validation


def validation(loss):
    return ValidationMetrics(loss=loss, perplexity=2.0, bits_per_byte=1.0)


def test_a_validation_belongs_to_its_step_and_the_best_is_remembered():
    """If it fails, the best checkpoint is deleted, or a wrong one is kept in its place."""
    state = TrainerState().after_step(1.5).after_validation(validation(3.0))
    assert (state.step, state.is_best, state.best_loss) == (1, True, 3.0)
    state = state.after_step(0.5)
    assert (state.train_seconds, state.validation, state.is_best) == (2.0, None, False)
    assert state.best_loss == 3.0
    assert not state.after_validation(validation(3.0)).is_best
    worse = state.after_validation(validation(4.0))
    assert (worse.is_best, worse.best_loss, worse.validation.loss) == (False, 3.0, 4.0)
    assert state.after_validation(validation(2.5)).best_loss == 2.5
    final = worse.after_training(validation(1.0))
    assert (final.validation.loss, final.compared_loss, final.best_loss) == (1.0, 4.0, 3.0)
    assert state.after_training(validation(1.0)).compared_loss is None


@pytest.mark.parametrize(
    ("sums", "expected"),
    [
        (
            [[6.0, 2.0], [4.0, 2.0], [0.0, 0.0]],
            {"loss": 2.5, "loss_left_to_right": 3.0, "loss_fim": 2.0},
        ),
        ([[6.0, 2.0], [0.0, 0.0], [0.0, 0.0]], {"loss": 3.0, "loss_left_to_right": 3.0}),
        (
            [[6.0, 2.0], [0.0, 0.0], [1.0, 4.0]],
            {"loss": 3.0, "loss_left_to_right": 3.0, "divergence": 0.25},
        ),
        ([[0.0, 0.0], [0.0, 0.0], [1.0, 4.0]], {"loss": 0.25, "divergence": 0.25}),
    ],
)
def test_losses_are_averaged_by_kind_and_absent_kinds_left_out(sums, expected):
    metrics = StepMetrics(
        losses=average_losses(torch.tensor(sums)),
        gradient_norm=1.0,
        rate_factor=0.5,
        tokens=64,
        throughput=Throughput(tokens_per_s=10.0, mfu=0.1),
    )
    values = metrics.values()
    assert {name: v for name, v in values.items() if name.startswith(("loss", "div"))} == expected
    assert list(values)[-2:] == ["tokens_per_s", "mfu"]


def test_events_are_read_back(tmp_path):
    events = [
        {"event": "start", "step": 0, "processes": 2, "is_sharded": True, "device": "cpu"},
        {"event": "validation", "step": 4, **validation(3.0).values()},
        {"event": "samples", "step": 4, "samples": [["def f[...]", "(): pass"]]},
    ]
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events) + "[]\n3\n")
    start, measured, samples = read_metrics(path)
    assert (start.kind, start.values) == ("start", {"processes": 2})
    assert measured.values["validation_loss"] == 3.0
    assert samples.samples[0].text == "(): pass"


def test_a_signal_asks_to_stop_and_is_handled_as_before_afterwards():
    """If it fails, a run cannot be stopped without losing its last steps, or never again."""
    alone = SimpleNamespace(device="cpu", reduce=lambda flag, reduction: flag)
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest(alone) as stop:
        assert not stop.is_requested()
        assert stop.is_requested(or_if=True)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.is_requested()
    assert signal.getsignal(signal.SIGTERM) is before


def test_perplexity_is_infinite_where_it_overflows():
    """If it fails, a run that starts badly ends in a traceback at its first validation."""
    assert Validation(nats=5000.0, tokens=5, bytes=20).perplexity == math.inf
    assert Validation(nats=5.0, tokens=5, bytes=20).perplexity == pytest.approx(math.e)
