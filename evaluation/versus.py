"""The command that compares two pass@k runs: ``python -m evaluation.versus RUN BASELINE``."""

import sys
from collections.abc import Sequence
from pathlib import Path

from evaluation.comparison.compare_runs import compare_runs, format_comparison
from evaluation.passk.config import PasskConfig
from training.foundation.command_parser import command_parser, type_of_setting
from training.foundation.errors import run_main

_PURPOSE = """\
Compare two pass@k runs problem by problem: the difference in pass@k, its confidence
interval, and how likely such a difference would be between two equal models."""
_EXAMPLE = """\
{prog} runs/passk runs/passk-baseline
{prog} runs/passk runs/passk-baseline --k 1 5"""


def main(argv: Sequence[str]) -> int:
    """Prints the differences."""
    parser = command_parser("evaluation.versus", _PURPOSE, example=_EXAMPLE)
    parser.add_argument("first", type=Path, metavar="RUN", help="the folder of a pass@k run")
    parser.add_argument("second", type=Path, metavar="BASELINE", help="the folder to compare with")
    parser.add_argument(
        "--k",
        type=type_of_setting(PasskConfig, "k"),
        nargs="+",
        default=[1],
        help="compare pass@k for each k (default: 1)",
    )
    options = parser.parse_args(argv)
    found = compare_runs(options.first, options.second, options.k)
    sys.stdout.write(format_comparison(options.first, options.second, found))
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
