"""From how sure a model is to how often it is right: ``python -m evaluation.calibrate --run DIR``.

Reads the answers of a run of ``python -m evaluation.lines``, fits a curve from the log-probability
of a line to the share of such lines that are right, and writes its two figures into the model's
manifest; the server then stays silent below a share instead of below a probability. Prints what
each of the server's settings shows, and how much of that is right.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from training.artifact.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from evaluation.accuracy_run import ANSWERS_FILE
from evaluation.claim import RUN_FILE
from evaluation.journal import read_journal
from server.confidence import INTERCEPT, SLOPE, THRESHOLDS, Calibration, fitted
from training.artifact.directory import add_figures
from training.artifact.errors import ConfigError, PrerequisiteError, run_main

_LEAST_LINES = 50


def main(argv: Sequence[str]) -> int:
    """Fits, writes and prints."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.calibrate", description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/lines"), help="of evaluation.lines")
    parser.add_argument("--dry-run", action="store_true", help="print, and leave the model alone")
    options = parser.parse_args(argv)
    model, lines = _read(options.run)
    try:
        curve = fitted([log_prob for log_prob, _ in lines], [is_right for _, is_right in lines])
    except ValueError as error:
        raise ConfigError(f"{options.run}: {error}; take more items") from error
    sys.stdout.write(_told(curve, lines))
    if not options.dry_run:
        add_figures(model, {SLOPE: curve.slope, INTERCEPT: curve.intercept})
        sys.stdout.write(f"written into {model}\n")
    return 0


def _read(run: Path) -> tuple[Path, list[tuple[float, bool]]]:
    """Returns the run's model, and log-probability and rightness of each line shown."""
    if not (run / RUN_FILE).is_file():
        raise PrerequisiteError(
            f"{run} holds no run of python -m evaluation.lines; make one, or correct --run"
        )
    model = Path(json.loads((run / RUN_FILE).read_text(encoding="utf-8"))["model"])
    lines = [
        (float(record["log_prob"]), bool(record["exact"]))
        for record in read_journal(run / ANSWERS_FILE)
        if record["kind"] != "block" and record.get("log_prob") is not None
    ]
    if len(lines) < _LEAST_LINES:
        raise ConfigError(f"{run} has {len(lines)} lines, wanted {_LEAST_LINES}; take more items")
    return model, lines


def _told(curve: Calibration, lines: Sequence[tuple[float, bool]]) -> str:
    told = [f"share right = 1 / (1 + exp(-{curve.slope:.3f} log p - {curve.intercept:.3f}))"]
    for name, least in THRESHOLDS.items():
        shown = [is_right for log_prob, is_right in lines if curve.share(log_prob) >= least]
        right = f"{100 * sum(shown) / len(shown):.0f} % right" if shown else "none"
        told.append(f"{name:9} shows {100 * len(shown) / len(lines):3.0f} % of lines, {right}")
    return "\n".join(told) + "\n"


if __name__ == "__main__":
    sys.exit(run_main(main))
