"""The command that draws a pass@k run's page again: ``python -m evaluation.report RUN``."""

import sys
from collections.abc import Sequence
from pathlib import Path

from evaluation.passk.passk_page import redraw_page
from training.foundation.command_parser import command_parser
from training.foundation.errors import run_main

_PURPOSE = "Draw the report page of a finished pass@k run again, as RUN/report.html."


def main(argv: Sequence[str]) -> int:
    """Draws the page and prints its path."""
    parser = command_parser("evaluation.report", _PURPOSE, example="{prog} runs/passk")
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a pass@k run")
    sys.stdout.write(f"{redraw_page(parser.parse_args(argv).run)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
