"""The report page of a run over items: metrics, calibration, and completions that differ."""

from collections.abc import Sequence

from evaluation.accuracy.accuracy_summary import METRIC_LABELS, AccuracySummary
from evaluation.accuracy.metrics import AccuracyMetrics, CompletedItem
from evaluation.accuracy.reliability import ReliabilityBin
from evaluation.runs.estimators import format_estimate, format_percent
from server.suggestion.explanation import reason_sentence
from training.foundation.charts import render_details, render_lines, render_page, render_table

MAX_SHOWN_ITEMS = 100
_CONTEXT_LINES = 3


def draw_page(title: str, summary: AccuracySummary, completed: Sequence[CompletedItem]) -> str:
    """Returns the page."""
    head = ["", "items", *METRIC_LABELS.values()]
    rows = [_row(kind, metrics) for kind, metrics in summary.kinds.items()]
    sections = {"Metrics": render_table(head, rows)}
    error = summary.expected_calibration_error
    if error is not None:
        sections["Confidence and exact match"] = _reliability_diagram(summary.calibration, error)
    different = [c for c in completed if not c.is_exact][:MAX_SHOWN_ITEMS]
    sections["Completions that differ from the file"] = "".join(map(_difference, different))
    identity = summary.identity
    note = f"Weights {identity.weights_sha256[:12]}, items {identity.items_sha256[:12]}."
    return render_page(title, f"Model {identity.model}.", footnote=note, sections=sections)


def _row(kind: str, metrics: AccuracyMetrics) -> list[str]:
    found = [getattr(metrics, name) for name in METRIC_LABELS]
    cells = ["" if estimate is None else format_estimate(estimate) for estimate in found]
    return [kind, str(metrics.items), *cells]


def _difference(completed: CompletedItem) -> str:
    item = completed.item
    suggested = completed.text or f"nothing. {reason_sentence(completed.reason)}"
    return render_details(
        item.id,
        [
            *item.prefix.split("\n")[-_CONTEXT_LINES:],
            "in the file:",
            *item.target.split("\n"),
            "suggested:",
            *suggested.split("\n"),
        ],
    )


def _reliability_diagram(bins: Sequence[ReliabilityBin], error: float) -> str:
    chart = render_lines(
        {
            "exact match": [(b.confidence, b.exact_match.value) for b in bins],
            "perfect calibration": [(b.confidence, b.confidence) for b in bins],
        },
        along="confidence",
        bands={
            "exact match": [(b.confidence, b.exact_match.low, b.exact_match.high) for b in bins]
        },
    )
    return f"{chart}<p>Expected calibration error: {format_percent(error)}.</p>"
