"""How far a training run has come."""

from dataclasses import dataclass, replace

from training.run.run_metrics import ValidationMetrics


@dataclass(frozen=True, kw_only=True)
class TrainerState:
    """The loop's state beside weights and optimiser.

    Attributes:
        step: Finished optimiser steps.
        train_seconds: Time spent in them, earlier starts of the run included.
        validation: The validation at this very step, if any.
        compared_loss: Its loss, by which checkpoints are compared; None of the one after the last
            step, which measures on other blocks than those during training.
        best_loss: The lowest loss of all validations during training so far.
        is_best: Whether ``validation`` is that one.
    """

    step: int = 0
    train_seconds: float = 0.0
    validation: ValidationMetrics | None = None
    compared_loss: float | None = None
    best_loss: float | None = None
    is_best: bool = False

    def after_step(self, seconds: float) -> "TrainerState":
        """Returns the state after one more step, which has not been validated."""
        return TrainerState(
            step=self.step + 1,
            train_seconds=self.train_seconds + seconds,
            best_loss=self.best_loss,
        )

    def after_validation(self, metrics: ValidationMetrics) -> "TrainerState":
        """Returns the state with a validation during training."""
        is_best = self.best_loss is None or metrics.loss < self.best_loss
        best = metrics.loss if is_best else self.best_loss
        return replace(
            self,
            validation=metrics,
            compared_loss=metrics.loss,
            best_loss=best,
            is_best=is_best,
        )

    def after_training(self, metrics: ValidationMetrics) -> "TrainerState":
        """Returns the state with the validation after the last step."""
        return replace(self, validation=metrics)
