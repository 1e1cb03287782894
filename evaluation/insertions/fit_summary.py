"""The summary of a run over places: ``summary.json``, and the table that the terminal shows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from evaluation.insertions.fit_answers import Answer, Trigger
from evaluation.insertions.judgement import Judgement
from evaluation.runs.estimators import CONFIDENCE, Estimate, estimate_share, format_percent
from evaluation.runs.run_folder import drop_unused
from training.foundation.config_schema import to_mapping

ALL = "all"
FAULT_LABELS = {  # the faults of a Judgement, as people read them
    "breaks_syntax": "breaks syntax",
    "breaks_parsed": "breaks what parsed",
    "is_duplicate": "duplicates",
    "is_misindented": "wrong indentation",
    "is_inside_name": "inside a name",
    "is_trivial": "trivial",
}
_KIND_WIDTH, _NUMBER_WIDTH = 30, 10
_SHORT_LABELS = {
    "breaks_parsed": "of parsed",
    "is_misindented": "indented",
    "is_inside_name": "in name",
}


@dataclass(frozen=True, kw_only=True)
class FitIdentity:
    """What identifies a run; the same identity resumes it.

    Attributes:
        model: The artifact's folder.
        weights_sha256: A hash of its weights.
        places_sha256: A hash of the places.
        memory_sha256: A hash of the gate; "" for a run without workspaces.
        workspace_sha256: A hash of the files that are known; "" for a run without workspaces.
        calibration: How confidence is calibrated, which decides what is shown; "" if it is not.
    """

    model: str
    weights_sha256: str
    places_sha256: str
    memory_sha256: str = ""
    workspace_sha256: str = ""
    calibration: str = ""

    def to_json(self) -> dict[str, object]:
        """Returns the contents of ``run.json``."""
        return drop_unused(to_mapping(self), {"workspace_sha256", "calibration"})


@dataclass(frozen=True, kw_only=True)
class FitMetrics:
    """How suggestions at places of one kind fit.

    Attributes:
        places: How many places.
        shown: The share of places where something was shown.
        exact: The share of what was shown that is the author's line; None if nothing was shown at a
            place where the author's text was removed.
        faults: For each fault, the share of what was shown that has it; empty if nothing was shown.
    """

    places: int
    shown: Estimate
    exact: Estimate | None
    faults: Mapping[str, Estimate]


@dataclass(frozen=True, kw_only=True)
class FitSummary:
    """The metrics of a run, by how a suggestion was requested and by the kind of place."""

    identity: FitIdentity
    triggers: Mapping[str, Mapping[str, FitMetrics]]

    def to_json(self) -> dict[str, object]:
        """Returns the contents of ``summary.json``."""
        return {
            **self.identity.to_json(),
            "confidence": CONFIDENCE,
            "triggers": to_mapping(self.triggers),
        }


def summarise_fit(identity: FitIdentity, answers: Sequence[Answer]) -> FitSummary:
    """Returns the metrics of a run's answers."""
    triggers: dict[str, dict[str, FitMetrics]] = {}
    for trigger in Trigger:
        mine = [answer for answer in answers if answer.trigger is trigger]
        if not mine:
            continue
        kinds = sorted({answer.place.label for answer in mine})
        triggers[str(trigger)] = {
            **{k: measure_fit([a for a in mine if a.place.label == k]) for k in kinds},
            ALL: measure_fit(mine),
        }
    return FitSummary(identity=identity, triggers=triggers)


def measure_fit(answers: Sequence[Answer]) -> FitMetrics:
    """Returns the metrics of at least one answer."""
    shown = [answer for answer in answers if answer.judgement is not None]
    judgements = [answer.judgement for answer in shown if answer.judgement is not None]
    known = [a.judgement for a in shown if a.judgement is not None and a.place.target]
    return FitMetrics(
        places=len(answers),
        shown=estimate_share(len(shown), len(answers)),
        exact=_share(known, lambda j: j.is_exact) if known else None,
        faults={name: _share(judgements, _has(name)) for name in FAULT_LABELS if judgements},
    )


def format_fit(summary: FitSummary) -> str:
    """Returns the table that the terminal shows."""
    labels = [_SHORT_LABELS.get(name, label) for name, label in FAULT_LABELS.items()]
    parts = []
    for trigger, kinds in summary.triggers.items():
        head = "".join(f"{x:>{_NUMBER_WIDTH + 4}}" for x in ("shown", "exact", *labels))
        parts.append(f"{trigger:{_KIND_WIDTH}}{'places':>7}{head}\n")
        parts += [_format_row(kind, metrics) for kind, metrics in kinds.items()]
        parts.append(_format_intervals(kinds[ALL]))
    return "".join(parts)


def count_faults(metrics: FitMetrics) -> dict[str, int]:
    """Returns how many shown suggestions have each fault."""
    return {name: round(found.value * found.problems) for name, found in metrics.faults.items()}


def _format_row(kind: str, metrics: FitMetrics) -> str:
    exact = "-" if metrics.exact is None else format_percent(metrics.exact.value)
    cells = [format_percent(metrics.shown.value), exact]
    counts = count_faults(metrics)
    cells += [
        f"{counts[name]} {format_percent(found.value):>6}" if counts[name] else "0"
        for name, found in metrics.faults.items()
    ]
    row = "".join(f"{cell:>{_NUMBER_WIDTH + 4}}" for cell in cells)
    return f"  {kind:{_KIND_WIDTH - 2}}{metrics.places:>7}{row}\n"


def _format_intervals(metrics: FitMetrics) -> str:
    """Returns the intervals of all kinds together, which are too wide for the table's cells."""
    parts = [
        f"{label} up to {format_percent(metrics.faults[name].high)}"
        for name, label in FAULT_LABELS.items()
        if name in metrics.faults
    ]
    return f"  {format_percent(CONFIDENCE, 0)} intervals: {', '.join(parts)}\n" if parts else ""


def _share(judgements: Iterable[Judgement], holds: Callable[[Judgement], bool]) -> Estimate:
    found = [holds(judgement) for judgement in judgements]
    return estimate_share(sum(found), len(found))


def _has(name: str) -> Callable[[Judgement], bool]:
    return lambda judgement: bool(getattr(judgement, name))
