"""The command that shows models side by side: ``python -m evaluation.compare MODEL...``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from evaluation.comparison.comparison_page import draw_page
from evaluation.comparison.model_comparison import (
    comparison_to_json,
    complete_prompts,
    format_comparison,
    read_prompts,
)
from evaluation.generators.generator import Generation
from evaluation.runs.arguments import add_device_argument, add_out_argument
from evaluation.runs.option_types import type_of_setting
from training.foundation.atomic_files import write_json_atomically, write_text_atomically
from training.foundation.command_parser import command_parser
from training.foundation.errors import run_main
from training.foundation.folder_lock import folder_lock

_PURPOSE = """\
Complete the same prompts with several models and show them side by side, with their
sizes, the constructs they use and the phrases they repeat.

Prints the completions and writes comparison.json and comparison.html."""
_EXAMPLE = """\
{prog} server/model runs/debug/model
{prog} server/model bigcode/tiny_starcoder_py --prompts prompts.txt"""


def main(argv: Sequence[str]) -> int:
    """Prints and writes the comparison."""
    options = _parser().parse_args(argv)
    prompts = read_prompts(options.prompts)
    generation = Generation(
        n=1, temperature=options.temperature, max_new_tokens=options.max_new_tokens
    )
    with folder_lock(options.out):
        models = [
            complete_prompts(model, prompts, generation, options.device) for model in options.models
        ]
        write_json_atomically(options.out / "comparison.json", comparison_to_json(models))
        write_text_atomically(options.out / "comparison.html", draw_page(models))
    sys.stdout.write(format_comparison(models))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("evaluation.compare", _PURPOSE, example=_EXAMPLE)
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="an artifact folder, or the folder or Hub name of any causal language model",
    )
    parser.add_argument(
        "--prompts",
        type=Path,
        metavar="FILE",
        help="prompts separated by lines of --- (default: the prompts of the problem set own)",
    )
    add_device_argument(parser)
    add_out_argument(parser, Path("runs/compare"), "the folder to write")
    parser.add_argument(
        "--temperature",
        type=type_of_setting(Generation, "temperature"),
        default=0.0,
        help="sampling temperature; 0 is greedy (default: %(default)s)",
    )
    parser.add_argument(
        "--max-new-tokens",
        type=type_of_setting(Generation, "max_new_tokens"),
        default=96,
        help="maximum length of a completion, in tokens (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
