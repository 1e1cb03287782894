"""The command that prints a problem set as JSON lines: ``python -m evaluation.problems SET``."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from evaluation.problems.problem_sources import KNOWN, OWN, load_problems
from training.foundation.command_parser import command_parser
from training.foundation.errors import run_main

_PURPOSE = """\
Print a problem set as JSON lines in HumanEval's format: task_id, prompt, suffix,
entry_point, canonical_solution, test, in_process."""
_EXAMPLE = """\
{prog} own
{prog} humaneval > humaneval.jsonl"""


def main(argv: Sequence[str]) -> int:
    """Prints the set."""
    parser = command_parser("evaluation.problems", _PURPOSE, example=_EXAMPLE)
    known = ", ".join([OWN, *KNOWN])
    parser.add_argument("set", metavar="SET", help=f"a problem set ({known}) or a JSON-lines file")
    for problem in load_problems(parser.parse_args(argv).set).problems:
        values = asdict(problem)
        values["in_process"] = values.pop("is_in_process")
        del values["overrides_process"]  # follows from the rest
        sys.stdout.write(json.dumps(values, ensure_ascii=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
