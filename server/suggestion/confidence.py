"""How sure the model is of a suggestion's first line, and how sure it must be to be shown.

The measure is the probability that the model gives to the line, its end included, given what is
typed already. Where the artifact tells how that relates to being right (``python -m
evaluation.calibrate`` finds out), it is corrected by that. Numbers only; no text is looked at but
for line ends.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Literal

Eagerness = Literal["always", "eager", "balanced", "quiet"]

THRESHOLDS: Mapping[Eagerness, float] = {
    "always": 0.0,  # for measuring
    "eager": 0.15,
    "balanced": 0.4,
    "quiet": 0.7,
}
UNSURE = "not sure enough"  # why nothing is shown
SLOPE, INTERCEPT = "confidence_slope", "confidence_intercept"  # among an artifact's figures
UNKNOWN_NAME_FACTOR = 0.5  # of the confidence, for each name that exists nowhere
_LEAST_LOG_PROB = -30.0


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """From a line's log-probability to the share of such lines that are right.

    Source: Platt 1999 (a logistic curve); here over the log-probability in nats.
    """

    slope: float
    intercept: float

    @classmethod
    def of(cls, figures: Mapping[str, float]) -> "Calibration | None":
        """Reads it from an artifact's figures; None if they do not tell."""
        if SLOPE not in figures or INTERCEPT not in figures:
            return None
        return cls(slope=figures[SLOPE], intercept=figures[INTERCEPT])

    def share(self, log_prob: float) -> float:
        """Returns the share of such lines that are right."""
        return 1 / (1 + exp(-self.slope * max(log_prob, _LEAST_LOG_PROB) - self.intercept))


def confidence(log_prob: float, calibration: Calibration | None) -> float:
    """Returns how sure one may be of a line, between 0 and 1."""
    return exp(log_prob) if calibration is None else calibration.share(log_prob)


def with_unknown_names(sure: float, n_names: int) -> float:
    """Returns how sure one may be of a suggestion with so many names that exist nowhere."""
    return sure * UNKNOWN_NAME_FACTOR**n_names


def first_line_log_prob(text: bytes, ends: Sequence[int], log_probs: Sequence[float]) -> float:
    """Returns the log-probability of a text's first line with anything in it, in nats.

    Args:
        text: All that was written.
        ends: For each token, how much of ``text`` there was with it.
        log_probs: Of each token.
    """
    content = len(text) - len(text.lstrip())
    newline = text.find(b"\n", content)
    if newline < 0:
        return sum(log_probs)
    return sum(log_probs[: bisect_left(ends, newline + 1) + 1])


def needed_confidence(eagerness: Eagerness, *, is_asked_for: bool) -> float:
    """Returns the least confidence that is shown; what the user asks for is shown in any case."""
    return 0.0 if is_asked_for else THRESHOLDS[eagerness]


def fitted(log_probs: Sequence[float], is_right: Sequence[bool]) -> Calibration:
    """Fits the curve to lines and whether they were right, by Newton's method.

    Raises:
        ValueError: All are right, or none: there is no curve.
    """
    if len(set(is_right)) < 2:  # noqa: PLR2004 - both kinds
        raise ValueError("lines that are right and lines that are not are needed")
    xs = [max(x, _LEAST_LOG_PROB) for x in log_probs]
    share = sum(is_right) / len(is_right)
    slope, intercept = 0.0, log(share / (1 - share))
    for _ in range(_NEWTON_STEPS):
        curve = Calibration(slope=slope, intercept=intercept)
        ps = [curve.share(x) for x in xs]
        ws = [max(p * (1 - p), _LEAST_WEIGHT) for p in ps]
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


_NEWTON_STEPS = 25
_LEAST_WEIGHT = 1e-6
_RIDGE = 1e-3
