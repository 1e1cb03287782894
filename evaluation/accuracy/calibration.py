"""Calibrates a model's confidence with the answers of a run over lines.

Fits a curve from the log-probability of a line to the share of such lines that are correct, and
saves its two parameters in the model's manifest. The server then compares its threshold with that
share instead of a probability.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.accuracy.run import ANSWERS_FILE
from evaluation.runs.estimators import format_percent
from evaluation.runs.journal import read_journal
from evaluation.runs.run_folder import RUN_FILE, read_identity
from server.suggestion.confidence import INTERCEPT, SLOPE, THRESHOLDS, Calibration, fit_calibration
from training.artifact.directory import add_metrics
from training.foundation.errors import ConfigError, PrerequisiteError
from training.foundation.folder_lock import folder_lock

MIN_LINES = 50


@dataclass(frozen=True, kw_only=True)
class SuggestedLine:
    """A line that the model suggested: its log-probability, and whether it is correct."""

    log_prob: float
    is_correct: bool


@dataclass(frozen=True, kw_only=True)
class CalibratedRun:
    """A run's model, the lines that it suggested, and the curve fitted to them."""

    model: Path
    lines: Sequence[SuggestedLine]
    curve: Calibration


def calibrate_run(run: Path) -> CalibratedRun:
    """Fits the curve to the lines of a run.

    Raises:
        ConfigError: The run has too few lines, or all of them are correct, or none.
        PrerequisiteError: The folder contains no run of lines.
    """
    if not (run / RUN_FILE).is_file():
        raise PrerequisiteError(
            f"{run} contains no run of parrotlet lines; run that first, or correct --run"
        )
    model = Path(read_identity(run, command="lines")["model"])
    lines = _read_lines(run)
    try:
        curve = fit_calibration(
            [line.log_prob for line in lines], [line.is_correct for line in lines]
        )
    except ValueError as error:
        raise ConfigError(f"{run}: {error}; run parrotlet lines with more items") from error
    return CalibratedRun(model=model, lines=lines, curve=curve)


def save_calibration(calibrated: CalibratedRun) -> None:
    """Saves the curve in the model's manifest."""
    curve = calibrated.curve
    with folder_lock(calibrated.model):
        add_metrics(calibrated.model, {SLOPE: curve.slope, INTERCEPT: curve.intercept})


def format_calibration(calibrated: CalibratedRun) -> str:
    """Returns the curve, and how much each eagerness setting shows and how much is correct."""
    curve, lines = calibrated.curve, calibrated.lines
    rows = [f"correct = 1 / (1 + exp(-({curve.slope:.3f} log p + {curve.intercept:.3f})))"]
    for name, threshold in THRESHOLDS.items():
        shown = [line.is_correct for line in lines if curve.share(line.log_prob) >= threshold]
        share = format_percent(len(shown) / len(lines), 0)
        correct = (
            f"{format_percent(sum(shown) / len(shown), 0)} of them correct" if shown else "none"
        )
        rows.append(f"{name:9} shows {share:>4} of lines, {correct}")
    return "\n".join(rows) + "\n"


def _read_lines(run: Path) -> list[SuggestedLine]:
    lines = [
        SuggestedLine(log_prob=float(record["log_prob"]), is_correct=bool(record["exact"]))
        for record in read_journal(run / ANSWERS_FILE)
        if record["kind"] != "block" and record.get("log_prob") is not None
    ]
    if len(lines) < MIN_LINES:
        raise ConfigError(
            f"{run} has {len(lines)} suggested lines, but at least {MIN_LINES} are needed; run"
            " parrotlet lines with more items"
        )
    return lines
