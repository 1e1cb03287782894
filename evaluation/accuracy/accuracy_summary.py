"""The summary of a run over items: ``summary.json``, and the lines that the terminal shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from evaluation.accuracy.metrics import AccuracyMetrics, CompletedItem, measure_accuracy
from evaluation.accuracy.reliability import (
    ReliabilityBin,
    expected_calibration_error,
    reliability_bins,
)
from evaluation.runs.estimators import CONFIDENCE, Estimate, format_estimate, format_percent
from evaluation.runs.record_fields import get_field, get_optional_field
from evaluation.runs.run_folder import drop_unused
from training.foundation.config_schema import to_mapping

METRIC_LABELS = {  # the metrics of AccuracyMetrics, as people read them
    "shown": "suggested",
    "exact_match": "exact match",
    "first_line_exact_match": "exact first line",
    "exact_match_of_shown": "exact match if shown",
    "edit_similarity": "edit similarity",
    "syntax_valid": "valid syntax",
}


@dataclass(frozen=True, kw_only=True)
class AccuracyIdentity:
    """What identifies a run; the same identity resumes it.

    Attributes:
        model: The artifact's folder.
        weights_sha256: A hash of its weights.
        items_sha256: A hash of the items.
        memory_sha256: A hash of the gate; "" for a run without workspaces.
        workspace_sha256: A hash of the files that are known; "" for a run without workspaces.
        calibration: How confidence is calibrated; "" if it is not, or not recorded.
        command: The command that completes the items; "" for ``lines``, whose runs in earlier
            versions did not record it.
    """

    model: str
    weights_sha256: str
    items_sha256: str
    memory_sha256: str = ""
    workspace_sha256: str = ""
    calibration: str = ""
    command: str = ""

    def to_json(self) -> dict[str, object]:
        """Returns the contents of ``run.json``."""
        return drop_unused(to_mapping(self), {"workspace_sha256", "calibration", "command"})

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Reads what :meth:`to_json` returned, also in an earlier version.

        Raises:
            KeyError, TypeError: It is not the identity of such a run.
        """
        always = ("model", "weights_sha256", "items_sha256")
        later = ("memory_sha256", "workspace_sha256", "calibration", "command")
        return cls(
            **{name: get_field(record, name, str) for name in always},
            **{name: get_optional_field(record, name, str) or "" for name in later},
        )


@dataclass(frozen=True, kw_only=True)
class AccuracySummary:
    """The metrics of a run.

    Attributes:
        identity: What identifies the run.
        kinds: The metrics of each kind of item, in the order of the items.
        calibration: Confidence against exact match, of lines.
        expected_calibration_error: None if no line was shown.
    """

    identity: AccuracyIdentity
    kinds: Mapping[str, AccuracyMetrics]
    calibration: Sequence[ReliabilityBin]
    expected_calibration_error: float | None

    def to_json(self) -> dict[str, object]:
        """Returns the contents of ``summary.json``."""
        return {
            **self.identity.to_json(),
            "confidence": CONFIDENCE,
            "kinds": to_mapping(self.kinds),
            "calibration": [b.to_json() for b in self.calibration],
            "expected_calibration_error": self.expected_calibration_error,
        }


def summarise(identity: AccuracyIdentity, completed: Sequence[CompletedItem]) -> AccuracySummary:
    """Returns the metrics of a run's completed items."""
    kinds = dict.fromkeys(c.item.kind for c in completed)
    bins = reliability_bins([c for c in completed if c.item.kind != "block"])
    return AccuracySummary(
        identity=identity,
        kinds={
            kind: measure_accuracy([c for c in completed if c.item.kind == kind]) for kind in kinds
        },
        calibration=bins,
        expected_calibration_error=expected_calibration_error(bins),
    )


def format_summary(summary: AccuracySummary) -> str:
    """Returns the lines that the terminal shows."""
    lines = []
    for kind, metrics in summary.kinds.items():
        items = "1 item" if metrics.items == 1 else f"{metrics.items} items"
        lines.append(f"{kind}: {items}, {format_percent(CONFIDENCE, 0)} intervals\n")
        for name, label in METRIC_LABELS.items():
            found: Estimate | None = getattr(metrics, name)
            if found is not None:
                lines.append(f"  {label:22}{format_estimate(found)}\n")
    return "".join(lines)
