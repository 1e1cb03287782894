"""Loss scaling for float16, whose smallest gradients would otherwise round to zero.

The scale doubles after many good steps and halves at one whose gradients are not finite, which is
then left out. In other dtypes it is 1, and such a step is an error.

Source: Micikevicius et al. 2018, "Mixed precision training", arXiv:1710.03740.
"""

import math

import torch

FIRST_SCALE = 2.0**16
GOOD_STEPS = 2000  # before the scale doubles
SMALLEST_SCALE = 2.0**-8  # below it, it is not the scale that is wrong


class LossScale:
    """The factor on the loss of the next step."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._is_used = dtype == torch.float16
        self.value = FIRST_SCALE if self._is_used else 1.0
        self._good_steps = 0

    def accepts(self, gradient_norm: float) -> bool:
        """Says whether a step with this norm may be taken, and adapts the scale.

        Returns:
            False where the step is to be left out.
        """
        is_good = math.isfinite(gradient_norm)
        if not self._is_used:
            return is_good
        self._good_steps = self._good_steps + 1 if is_good else 0
        if not is_good:
            self.value /= 2
        elif self._good_steps == GOOD_STEPS:
            self.value, self._good_steps = self.value * 2, 0
        return is_good

    @property
    def can_go_lower(self) -> bool:
        """Whether a smaller scale may mend gradients that are not finite."""
        return self._is_used and self.value >= SMALLEST_SCALE

    def record(self) -> dict[str, float]:
        """Returns what a checkpoint keeps of it."""
        return {"loss_scale": self.value, "loss_scale_good_steps": self._good_steps}

    def load(self, record: dict[str, float]) -> None:
        """Takes back what :meth:`record` returned, where a checkpoint has it."""
        self.value = float(record.get("loss_scale", self.value))
        self._good_steps = int(record.get("loss_scale_good_steps", 0))
