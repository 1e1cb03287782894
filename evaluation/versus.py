"""Two runs of pass@k against each other: ``python -m evaluation.versus RUN RUN [--k K ...]``.

Compares problem by problem, which detects smaller differences than two separate intervals do, and
says how likely such a difference would be between two equal models.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.passk.judging import RESULTS_FILE
from evaluation.passk.summary import counts_of
from evaluation.runs.estimators import CONFIDENCE, difference, percent
from evaluation.runs.journal import read_journal
from evaluation.runs.run_folder import RUN_FILE
from training.foundation.command_parser import command_parser
from training.foundation.errors import ConfigError, run_main

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
        "--k", type=int, nargs="+", default=[1], help="compare pass@k for each k (default: 1)"
    )
    options = parser.parse_args(argv)
    _check_alike(_identity(options.first), _identity(options.second))
    first, second = _counts(options.first), _counts(options.second)
    shared = sorted(first.keys() & second.keys())
    pairs = [first[name] for name in shared], [second[name] for name in shared]
    for k in options.k:
        found = difference(*pairs, k)
        sys.stdout.write(
            f"pass@{k}: {options.first} scores {100 * found.value:+.2f} percentage points compared"
            f" with {options.second} ({percent(CONFIDENCE, 0)} interval {100 * found.low:+.2f} to"
            f" {100 * found.high:+.2f}, bootstrap; p = {found.p_value:.4f}, sign-flip test;"
            f" {found.problems} problems)\n"
        )
    return 0


def _identity(run: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((run / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{run} contains no pass@k run ({error}); name the --out folder of parrotlet passk"
        ) from error
    return found


def _check_alike(first: dict[str, Any], second: dict[str, Any]) -> None:
    for key in ("problems_sha256", "limits", "isolation"):
        if first.get(key) != second.get(key):
            raise ConfigError(
                f"the runs differ in {key}: {first.get(key)} and {second.get(key)}; compare runs"
                " on the same problems, with the same limits and isolation"
            )


def _counts(run: Path) -> dict[str, tuple[int, int]]:
    return counts_of(list(read_journal(run / RESULTS_FILE)))


if __name__ == "__main__":
    sys.exit(run_main(main))
