"""How far confidence and exact match agree: bins of a reliability diagram, and their mean error."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from evaluation.accuracy.metrics import CompletedItem
from evaluation.runs.estimators import Estimate, estimate_share

N_BINS = 10


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Completions of similar confidence: their mean confidence, and how many are exact."""

    confidence: float
    exact_match: Estimate

    def to_json(self) -> dict[str, float]:
        """Returns the object that ``summary.json`` contains."""
        return {"confidence": self.confidence, **self.exact_match.to_json()}


def reliability_bins(completed: Sequence[CompletedItem]) -> list[ReliabilityBin]:
    """Returns the completions shown in ten bins of equal size, by confidence."""
    shown = sorted(
        ((c.confidence, c.is_exact) for c in completed if c.text and c.confidence is not None),
        key=lambda pair: pair[0],
    )
    bins = []
    for number in range(N_BINS):
        part = shown[len(shown) * number // N_BINS : len(shown) * (number + 1) // N_BINS]
        if part:
            bins.append(
                ReliabilityBin(
                    confidence=fmean(confidence for confidence, _ in part),
                    exact_match=estimate_share(sum(is_exact for _, is_exact in part), len(part)),
                )
            )
    return bins


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float | None:
    """Returns the mean distance of confidence and accuracy; None without bins.

    Source: Guo et al. 2017, arXiv:1706.04599, with bins of equal size.
    """
    total = sum(b.exact_match.problems for b in bins)
    if not total:
        return None
    distance = sum(b.exact_match.problems * abs(b.confidence - b.exact_match.value) for b in bins)
    return float(distance / total)
