"""Two runs of pass@k against each other: ``python -m evaluation.versus RUN RUN [--k K ...]``.

Compares problem by problem, which tells smaller differences than two intervals beside each other,
and says how likely such a difference is if the two were alike.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.claim import RUN_FILE
from evaluation.estimate import CONFIDENCE, difference
from evaluation.grade import RESULTS_FILE
from evaluation.journal import read_journal
from evaluation.summary import counts_of
from training.artifact.errors import ConfigError, run_main


def main(argv: Sequence[str]) -> int:
    """Prints the differences."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.versus", description=__doc__)
    parser.add_argument("first", type=Path, help="a run's folder")
    parser.add_argument("second", type=Path, help="another's")
    parser.add_argument("--k", type=int, nargs="+", default=[1])
    options = parser.parse_args(argv)
    _check_alike(_identity(options.first), _identity(options.second))
    first, second = _counts(options.first), _counts(options.second)
    shared = sorted(first.keys() & second.keys())
    pairs = [first[name] for name in shared], [second[name] for name in shared]
    for k in options.k:
        found = difference(*pairs, k)
        sys.stdout.write(
            f"pass@{k}: {options.first} {100 * found.value:+.2f} points over {options.second}"
            f" ({100 * found.low:+.2f} to {100 * found.high:+.2f}, bootstrap"
            f" {100 * CONFIDENCE:.0f} %; p = {found.p_value:.4f}, sign flips;"
            f" {found.problems} problems)\n"
        )
    return 0


def _identity(run: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((run / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{run} holds no run of pass@k ({error})") from error
    return found


def _check_alike(first: dict[str, Any], second: dict[str, Any]) -> None:
    for key in ("problems_sha256", "limits", "isolation"):
        if first.get(key) != second.get(key):
            raise ConfigError(
                f"the runs differ in {key}: {first.get(key)} and {second.get(key)}; only runs on"
                " the same problems under the same judge compare"
            )


def _counts(run: Path) -> dict[str, tuple[int, int]]:
    return counts_of(list(read_journal(run / RESULTS_FILE)))


if __name__ == "__main__":
    sys.exit(run_main(main))
