"""The command that measures verbatim repetition: ``python -m evaluation.repetition --index FILE``.

A repetition that only the largest index finds is one that users of a smaller index are not warned
of.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from evaluation.accuracy.memorisation import format_memorisation, measure_memorisation
from evaluation.runs.arguments import (
    add_corpus_argument,
    add_model_argument,
    add_sampling_arguments,
)
from training.foundation.command_parser import command_parser
from training.foundation.errors import run_main

_PURPOSE = """\
Measure how often a model repeats its training text verbatim. The model continues
training documents greedily for 160 tokens; each continuation is looked up in the given
indexes of training text, ignoring what it copied from its own prompt."""
_EXAMPLE = "{prog} --index server/model/verbatim.safetensors --corpus runs/corpus/default"


def main(argv: Sequence[str]) -> int:
    """Prints what each index finds."""
    options = _parser().parse_args(argv)
    counts = measure_memorisation(
        options.model, options.index, options.corpus, n=options.n, seed=options.seed
    )
    sys.stdout.write(format_memorisation(counts))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("evaluation.repetition", _PURPOSE, example=_EXAMPLE)
    add_model_argument(parser)
    parser.add_argument(
        "--index",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help="an index made by parrotlet index-verbatim; repeat the option to compare indexes",
    )
    add_corpus_argument(parser, "the corpus that the model was trained on")
    add_sampling_arguments(parser, 300, "documents to continue", "choosing documents and positions")
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
