"""A problem set as JSON lines in HumanEval's format: ``python -m evaluation.problems NAME``."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from evaluation.problems.sources import load_problems
from training.artifact.errors import ConfigError, run_main


def main(argv: Sequence[str]) -> int:
    """Prints the set."""
    if len(argv) != 1:
        raise ConfigError("usage: python -m evaluation.problems NAME_OR_FILE")
    for problem in load_problems(argv[0]).problems:
        values = asdict(problem)
        values["in_process"] = values.pop("is_in_process")
        sys.stdout.write(json.dumps(values, ensure_ascii=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
