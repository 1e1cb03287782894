"""The report page of a run over places: how suggestions fit, and examples of each fault."""

from collections.abc import Sequence

from evaluation.insertions.fit_answers import Answer, place_line
from evaluation.insertions.fit_summary import FAULT_LABELS, FitMetrics, FitSummary, count_faults
from evaluation.runs.estimators import format_estimate
from training.foundation.charts import render_details, render_page, render_table

MAX_EXAMPLES = 25  # of each fault
_TITLE = "Suggestions that fit"
_LINES_ABOVE = 3


def draw_fit_page(summary: FitSummary, answers: Sequence[Answer]) -> str:
    """Returns the page."""
    head = ["", "places", "shown", "exact match", *FAULT_LABELS.values()]
    sections = {
        f"Shown {trigger}": render_table(head, [_row(kind, m) for kind, m in kinds.items()])
        for trigger, kinds in summary.triggers.items()
    }
    for name, label in FAULT_LABELS.items():
        faulty = [a for a in answers if a.judgement is not None and getattr(a.judgement, name)]
        examples = "".join(map(_example, faulty[:MAX_EXAMPLES]))
        sections[f"Examples: {label}"] = examples or "<p>None.</p>"
    identity = summary.identity
    note = f"Weights {identity.weights_sha256[:12]}, places {identity.places_sha256[:12]}."
    return render_page(_TITLE, f"Model {identity.model}.", footnote=note, sections=sections)


def _row(kind: str, metrics: FitMetrics) -> list[str]:
    exact = "" if metrics.exact is None else format_estimate(metrics.exact)
    counts = count_faults(metrics)
    faults = [f"{counts[name]}: {format_estimate(x)}" for name, x in metrics.faults.items()]
    return [kind, str(metrics.places), format_estimate(metrics.shown), exact, *faults]


def _example(answer: Answer) -> str:
    place = answer.place
    above = place.prefix.split("\n")[:-1][-_LINES_ABOVE:]
    below = place.suffix.split("\n")[1:2]
    return render_details(
        f"{place.id} ({answer.trigger})",
        [
            *above,
            place_line(place),
            *below,
            f"suggested, replacing {answer.covered} characters:"
            if answer.covered
            else "suggested:",
            *answer.text.split("\n"),
            "in the file:",
            *(place.target or "(nothing was removed)").split("\n"),
        ],
    )
