"""A model's confidence, calibrated: ``python -m evaluation.calibrate --run DIR``.

Reads the answers of a run of ``evaluation.lines``, fits a curve from the log-probability of a line
to the share of such lines that are correct, and writes its two parameters into the model's
manifest; the server then compares its threshold with that share instead of a probability. Prints
how much each eagerness setting shows, and how much of that is correct.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from evaluation.accuracy.run import ANSWERS_FILE
from evaluation.runs.estimators import percent
from evaluation.runs.journal import read_journal
from evaluation.runs.run_folder import RUN_FILE
from server.suggestion.confidence import INTERCEPT, SLOPE, THRESHOLDS, Calibration, fitted
from training.artifact.directory import add_metrics
from training.foundation.command_parser import command_parser
from training.foundation.errors import ConfigError, PrerequisiteError, run_main
from training.foundation.folder_lock import folder_lock

_LEAST_LINES = 50
_PURPOSE = """\
Calibrate a model's confidence: fit a curve from the log-probability of a line to the
share of such lines that are correct, and save it in the model's parrotlet.json. The
server's eagerness setting then means a share of correct suggestions."""
_EXAMPLE = """\
{prog} --run runs/lines --dry-run
{prog} --run runs/lines"""


def main(argv: Sequence[str]) -> int:
    """Fits, writes and prints."""
    parser = command_parser("evaluation.calibrate", _PURPOSE, example=_EXAMPLE)
    parser.add_argument(
        "--run",
        type=Path,
        default=Path("runs/lines"),
        metavar="FOLDER",
        help="the folder of a run of parrotlet lines (default: %(default)s)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the calibration without changing the model"
    )
    options = parser.parse_args(argv)
    model, lines = _read(options.run)
    try:
        curve = fitted([log_prob for log_prob, _ in lines], [is_right for _, is_right in lines])
    except ValueError as error:
        raise ConfigError(f"{options.run}: {error}; run parrotlet lines with more items") from error
    sys.stdout.write(_format(curve, lines))
    if not options.dry_run:
        with folder_lock(model):
            add_metrics(model, {SLOPE: curve.slope, INTERCEPT: curve.intercept})
        sys.stdout.write(f"calibration saved in {model}\n")
    return 0


def _read(run: Path) -> tuple[Path, list[tuple[float, bool]]]:
    """Returns the run's model, and log-probability and correctness of each line shown."""
    if not (run / RUN_FILE).is_file():
        raise PrerequisiteError(
            f"{run} contains no run of parrotlet lines; run that first, or correct --run"
        )
    model = Path(json.loads((run / RUN_FILE).read_text(encoding="utf-8"))["model"])
    lines = [
        (float(record["log_prob"]), bool(record["exact"]))
        for record in read_journal(run / ANSWERS_FILE)
        if record["kind"] != "block" and record.get("log_prob") is not None
    ]
    if len(lines) < _LEAST_LINES:
        raise ConfigError(
            f"{run} has {len(lines)} suggested lines, but at least {_LEAST_LINES} are needed; run"
            " parrotlet lines with more items"
        )
    return model, lines


def _format(curve: Calibration, lines: Sequence[tuple[float, bool]]) -> str:
    rows = [f"correct = 1 / (1 + exp(-({curve.slope:.3f} log p + {curve.intercept:.3f})))"]
    for name, least in THRESHOLDS.items():
        shown = [is_right for log_prob, is_right in lines if curve.share(log_prob) >= least]
        right = f"{percent(sum(shown) / len(shown), 0)} of them correct" if shown else "none"
        rows.append(f"{name:9} shows {percent(len(shown) / len(lines), 0):>4} of lines, {right}")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(run_main(main))
