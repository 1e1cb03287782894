"""How confident the model is of a suggestion's first line, and how confident it must be.

The measure is the probability that the model gives to the line and its end, given what is already
typed. If the artifact records how that relates to being right (``python -m evaluation.calibrate``
measures it), the probability is calibrated. Numbers only; the text matters just for its line ends.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Literal

Eagerness = Literal["always", "eager", "balanced", "quiet"]

THRESHOLDS: Mapping[Eagerness, float] = {
    "always": 0.0,  # for measurements
    "eager": 0.15,
    "balanced": 0.4,
    "quiet": 0.7,
}
UNSURE = "not sure enough"  # a reason why nothing is shown
SLOPE, INTERCEPT = "confidence_slope", "confidence_intercept"  # keys of an artifact's figures
UNKNOWN_NAME_FACTOR = 0.5  # per name that occurs nowhere else
PART_MARGIN = 2 / 3  # a curve of whole lines is too sure of parts of them
_MIN_LOG_PROB = -30.0
_NEWTON_STEPS = 25
_MIN_WEIGHT = 1e-6
_RIDGE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Maps a line's log-probability to the share of such lines that are right.

    Source: Platt 1999 (a logistic curve); here over the log-probability in nats.
    """

    slope: float
    intercept: float

    @classmethod
    def of(cls, figures: Mapping[str, float]) -> "Calibration | None":
        """Reads it from an artifact's figures; None if they lack it."""
        if SLOPE not in figures or INTERCEPT not in figures:
            return None
        return cls(slope=figures[SLOPE], intercept=figures[INTERCEPT])

    def share(self, log_prob: float) -> float:
        """Returns the share of such lines that are right."""
        return 1 / (1 + exp(-self.slope * max(log_prob, _MIN_LOG_PROB) - self.intercept))


def confidence(log_prob: float, calibration: Calibration | None) -> float:
    """Returns the probability that a line is right, calibrated if possible."""
    return exp(log_prob) if calibration is None else calibration.share(log_prob)


def discount_unknown_names(confidence: float, n_names: int) -> float:
    """Returns the confidence in a suggestion that uses ``n_names`` names found nowhere else."""
    return confidence * UNKNOWN_NAME_FACTOR**n_names


def count_first_line(text: bytes, ends: Sequence[int]) -> int:
    """Returns how many tokens the first line that is not blank has, its end included.

    Args:
        text: Everything that was generated.
        ends: For each token, the length of ``text`` up to and including it.
    """
    content = len(text) - len(text.lstrip())
    newline = text.find(b"\n", content)
    return len(ends) if newline < 0 else bisect_left(ends, newline + 1) + 1


def first_line_log_prob(text: bytes, ends: Sequence[int], log_probs: Sequence[float]) -> float:
    """Returns the log-probability of the first line that is not blank, in nats.

    Args:
        text: Everything that was generated.
        ends: For each token, the length of ``text`` up to and including it.
        log_probs: Of each token.
    """
    return sum(log_probs[: count_first_line(text, ends)])


def needed_confidence(eagerness: Eagerness, *, is_asked_for: bool) -> float:
    """Returns the confidence below which nothing is shown: 0 if the user requested it."""
    return 0.0 if is_asked_for else THRESHOLDS[eagerness]


def needed_for_part(needed: float) -> float:
    """Returns the confidence that a part of a line needs where a whole line needs ``needed``."""
    return needed + PART_MARGIN * (1 - needed)


def fit_calibration(log_probs: Sequence[float], is_right: Sequence[bool]) -> Calibration:
    """Fits the curve by Newton's method.

    Args:
        log_probs: Of suggested lines, in nats.
        is_right: Whether each line was right.

    Raises:
        ValueError: All lines are right, or none is: no curve fits.
    """
    if len(set(is_right)) < 2:  # noqa: PLR2004 - both kinds
        raise ValueError("calibration needs both right and wrong lines")
    xs = [max(x, _MIN_LOG_PROB) for x in log_probs]
    share = sum(is_right) / len(is_right)
    slope, intercept = 0.0, log(share / (1 - share))
    for _ in range(_NEWTON_STEPS):
        curve = Calibration(slope=slope, intercept=intercept)
        ps = [curve.share(x) for x in xs]
        ws = [max(p * (1 - p), _MIN_WEIGHT) for p in ps]
        errors = [float(y) - p for y, p in zip(is_right, ps, strict=True)]
        a = sum(w * x * x for w, x in zip(ws, xs, strict=True)) + _RIDGE
        b = sum(w * x for w, x in zip(ws, xs, strict=True))
        c = sum(ws) + _RIDGE
        by_slope = sum(e * x for e, x in zip(errors, xs, strict=True)) - _RIDGE * slope
        by_intercept = sum(errors)
        determinant = a * c - b * b
        slope += (c * by_slope - b * by_intercept) / determinant
        intercept += (a * by_intercept - b * by_slope) / determinant
    return Calibration(slope=slope, intercept=intercept)
