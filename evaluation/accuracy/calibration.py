"""Calibrates a model's confidence with the answers of a run over lines.

Fits a curve from the log-probability of a line to the share of such lines that are correct, and
saves its two parameters in the model's manifest. The server then compares its threshold with that
share instead of a probability.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.accuracy.accuracy_summary import AccuracyIdentity
from evaluation.accuracy.run import ANSWERS_FILE
from evaluation.runs.estimators import format_percent
from evaluation.runs.journal import read_records
from evaluation.runs.record_fields import get_field, get_optional_field
from evaluation.runs.run_folder import RUN_FILE, SUMMARY_FILE, read_identity
from server.suggestion.confidence import INTERCEPT, SLOPE, THRESHOLDS, Calibration, fit_calibration
from training.artifact.directory import WEIGHTS_FILE, add_metrics
from training.artifact.manifest import MEMORY_FILE
from training.foundation.atomic_files import file_sha256
from training.foundation.errors import ArtifactError, ConfigError, PrerequisiteError
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
        ArtifactError: The run's model is missing.
        ConfigError: The run has too few lines, or all of them are correct, or none; or the model
            is another one by now.
        PrerequisiteError: The folder contains no run of lines, or one that is not finished: the
            lines of one kind are completed before those of the next.
    """
    if not (run / RUN_FILE).is_file():
        raise PrerequisiteError(
            f"{run} contains no run of parrotlet lines; run that first, or correct --run"
        )
    model = _find_model(run)
    if not (run / SUMMARY_FILE).is_file():
        raise PrerequisiteError(
            f"{run} is not finished; run its parrotlet lines command again to complete the rest"
        )
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


def _find_model(run: Path) -> Path:
    """Returns the folder of a run's model, if that still is the model that the run measured."""
    identity = read_identity(run, command="lines", parse=_parse_identity)
    model = Path(identity.model)
    if not (model / WEIGHTS_FILE).is_file():
        raise ArtifactError(
            f"there is no model in {model}, which {run} measured; put it back, or run parrotlet"
            " lines again with its new folder and another --out"
        )
    measured = {WEIGHTS_FILE: identity.weights_sha256}
    if identity.memory_sha256:
        measured[MEMORY_FILE] = identity.memory_sha256
    for name, sha256 in measured.items():
        if not (model / name).is_file() or file_sha256(model / name) != sha256:
            raise ConfigError(
                f"{name} of the model in {model} has changed since {run} measured it; run parrotlet"
                " lines again with another --out, and name that folder by --run"
            )
    return model


def _parse_identity(record: Mapping[str, Any]) -> AccuracyIdentity:
    identity = AccuracyIdentity.from_json(record)
    if identity.command:
        raise ValueError(f"it is one of parrotlet {identity.command}")
    return identity


def _parse_line(record: Mapping[str, Any]) -> SuggestedLine | None:
    """Returns None for blocks, and for items without a suggestion."""
    log_prob = get_optional_field(record, "log_prob", float)
    if get_field(record, "kind", str) == "block" or log_prob is None:
        return None
    return SuggestedLine(log_prob=log_prob, is_correct=get_field(record, "exact", bool))


def _read_lines(run: Path) -> list[SuggestedLine]:
    lines = [line for line in read_records(run / ANSWERS_FILE, _parse_line) if line is not None]
    if len(lines) < MIN_LINES:
        raise ConfigError(
            f"{run} has {len(lines)} suggested lines, but at least {MIN_LINES} are needed; run"
            " parrotlet lines with more items"
        )
    return lines
