"""Judges an adaptation: ``python -m evaluation.adaptation BEFORE AFTER --record FILE ...``."""

import sys
from collections.abc import Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from evaluation.adaptation.adaptation_page import draw_page
from evaluation.adaptation.adaptation_result import judge
from evaluation.adaptation.measurements import LINES, read_measurements
from evaluation.calibrate import main as calibrate
from evaluation.runs.run_folder import REPORT_FILE
from training.artifact.adaptation.adaptation_record import AdaptationRecord
from training.foundation.atomic_files import write_json_atomically, write_text_atomically
from training.foundation.command_parser import command_parser
from training.foundation.config_schema import to_mapping
from training.foundation.errors import ConfigError, run_main

RESULT_FILE = "result.json"
_PURPOSE = """\
Judge what an adaptation brought: compare what was measured of a model before and after,
on files that it had not seen. Then calibrate its confidence anew. A stage of
parrotlet adapt.

Writes result.json and report.html."""


def main(argv: Sequence[str]) -> int:
    """Writes the result and the page, calibrates the model, and prints the sentence."""
    parser = command_parser(
        "evaluation.adaptation",
        _PURPOSE,
        example="{prog} work/before work/after --record work/adaptation.json --out work/judged",
    )
    parser.add_argument("before", type=Path, help="the measurements of the model before")
    parser.add_argument("after", type=Path, help="those of the adapted model")
    parser.add_argument("--record", type=Path, required=True, metavar="FILE", help="the plan")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where to write")
    options = parser.parse_args(argv)
    result = judge(read_measurements(options.before), read_measurements(options.after))
    try:
        calibrate(["--run", str(options.after / LINES)])
    except ConfigError as error:  # too few lines: the calibration of the base stays
        sys.stderr.write(f"warning: not calibrated anew: {error}\n")
    record = AdaptationRecord.read(options.record)
    write_text_atomically(options.out / REPORT_FILE, draw_page(result, record))
    shown = {**to_mapping(result), "trained_share": record.trained_share}
    write_json_atomically(options.out / RESULT_FILE, shown)
    sys.stdout.write(f"{result.sentence}\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
