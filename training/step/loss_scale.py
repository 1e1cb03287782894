"""Loss scaling for float16, whose smallest gradients would otherwise round to zero.

The scale doubles after many steps with finite gradients and halves after a step without, which is
then skipped. In other dtypes the scale is 1, and such a step is an error.

Source: Micikevicius et al. 2018, "Mixed precision training", arXiv:1710.03740.
"""

import math
from dataclasses import dataclass

import torch

from training.foundation.errors import InvalidResultError

FIRST_SCALE = 2.0**16
GOOD_STEPS = 2000  # before the scale doubles
SMALLEST_SCALE = 2.0**-8  # below it, the scale is not what is wrong


@dataclass(frozen=True, kw_only=True)
class LossScaleState:
    """What a checkpoint keeps of the scale; ``value`` is None unless the dtype is float16."""

    value: float | None = None
    good_steps: int = 0


_WITHOUT_SCALE = LossScaleState(value=1.0)  # as earlier versions wrote it for other dtypes


class LossScale:
    """The factor on the loss of the next step."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._is_used = dtype == torch.float16
        self.value = FIRST_SCALE if self._is_used else 1.0
        self._good_steps = 0

    def update(self, gradient_norm: float) -> bool:
        """Adapts the scale to a step's gradients; says whether the step may be taken.

        Returns:
            False if the step must be skipped.
        """
        is_finite = math.isfinite(gradient_norm)
        if not self._is_used:
            return is_finite
        self._good_steps = self._good_steps + 1 if is_finite else 0
        if not is_finite:
            self.value /= 2
        elif self._good_steps == GOOD_STEPS:
            self.value, self._good_steps = self.value * 2, 0
        return is_finite

    @property
    def can_decrease(self) -> bool:
        """Whether a smaller scale may make the gradients finite again."""
        return self._is_used and self.value >= SMALLEST_SCALE

    def check(self, loss: float, gradient_norm: float, *, step: int) -> None:
        """Stops a training that has diverged.

        Raises:
            InvalidResultError: The loss is not finite, or the gradients are not and a smaller scale
                will not help.
        """
        is_sound = math.isfinite(gradient_norm) or self.can_decrease
        if not (math.isfinite(loss) and is_sound):
            raise InvalidResultError(
                f"the loss became {loss} and the gradient norm {gradient_norm} at step {step};"
                " earlier checkpoints are intact: lower optim.learning_rate and run the command"
                " again"
            )

    def state(self) -> LossScaleState:
        """Returns what a checkpoint keeps."""
        if not self._is_used:
            return LossScaleState()
        return LossScaleState(value=self.value, good_steps=self._good_steps)

    def load_state(self, state: LossScaleState) -> None:
        """Restores what :meth:`state` returned, of a run in this dtype or another."""
        if self._is_used and state.value is not None and state != _WITHOUT_SCALE:
            self.value, self._good_steps = state.value, state.good_steps
