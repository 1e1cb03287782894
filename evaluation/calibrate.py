"""The command that calibrates confidence: ``python -m evaluation.calibrate --run FOLDER``."""

import sys
from collections.abc import Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from evaluation.accuracy.calibration import calibrate_run, format_calibration, save_calibration
from training.foundation.command_parser import command_parser
from training.foundation.errors import run_main

_PURPOSE = """\
Calibrate a model's confidence: fit a curve from the log-probability of a line to the
share of such lines that are correct, and save it in the model's parrotlet.json. The
server's eagerness setting then means a share of correct suggestions."""
_EXAMPLE = """\
{prog} --run runs/lines --dry-run
{prog} --run runs/lines"""


def main(argv: Sequence[str]) -> int:
    """Fits the curve, prints it, and saves it in the model."""
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
    calibrated = calibrate_run(options.run)
    sys.stdout.write(format_calibration(calibrated))
    if not options.dry_run:
        save_calibration(calibrated)
        sys.stdout.write(f"calibration saved in {calibrated.model}\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
