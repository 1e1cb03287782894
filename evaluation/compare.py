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
)
from evaluation.comparison.prompt_sets import PROMPT_SETS, load_prompts
from evaluation.generators.generator import Generation
from evaluation.runs.arguments import add_device_argument, add_out_argument
from training.foundation.atomic_files import write_json_atomically, write_text_atomically
from training.foundation.command_parser import command_parser, type_of_setting
from training.foundation.errors import run_main
from training.foundation.folder_lock import folder_lock

SAMPLED_TEMPERATURE = 0.4
_PURPOSE = """\
Complete the same prompts with several models and show them side by side, with their
sizes and the phrases they repeat. Of code it counts constructs; of prose dialogue, persons and
marks of the web, which show what a model was trained on.

Prints the completions and writes comparison.json and comparison.html."""
_EXAMPLE = """\
{prog} server/model runs/debug/model
{prog} server/model bigcode/tiny_starcoder_py --prompts chapter --samples 3
{prog} gpt2 openai-gpt --prompts prose --samples 5"""


def main(argv: Sequence[str]) -> int:
    """Prints and writes the comparison."""
    options = _parser().parse_args(argv)
    prompts = load_prompts(options.prompts, is_prose=options.prose)
    temperature = options.temperature
    if temperature is None:
        temperature = 0.0 if options.samples == 1 else SAMPLED_TEMPERATURE
    generation = Generation(
        n=options.samples,
        temperature=temperature,
        max_new_tokens=options.max_new_tokens,
        seed=options.seed,
        stop=prompts.stop,
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
        help="an artifact folder, or the folder or Hub name (gpt2, OWNER/NAME) of any causal"
        " language model",
    )
    _add_prompt_arguments(parser)
    add_device_argument(parser)
    add_out_argument(parser, Path("runs/compare"), "the folder to write")
    parser.add_argument(
        "--temperature",
        type=type_of_setting(Generation, "temperature"),
        help="sampling temperature; 0 is greedy (default: 0 for one sample,"
        f" {SAMPLED_TEMPERATURE} for several)",
    )
    parser.add_argument(
        "--max-new-tokens",
        type=type_of_setting(Generation, "max_new_tokens"),
        default=96,
        help="maximum length of a completion, in tokens (default: %(default)s)",
    )
    return parser


def _add_prompt_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--prompts",
        default=PROMPT_SETS[0],
        metavar="SET|FILE",
        help=f"{', '.join(PROMPT_SETS)}, or a file of prompts separated by lines of ---"
        " (default: %(default)s)",
    )
    parser.add_argument(
        "--prose",
        action="store_true",
        help="the file's prompts are prose: keep whole completions, and count what prose has",
    )
    parser.add_argument(
        "--samples",
        type=type_of_setting(Generation, "n"),
        default=1,
        metavar="N",
        help="completions of each prompt (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=type_of_setting(Generation, "seed"),
        default=0,
        help="of sampling (default: %(default)s)",
    )


if __name__ == "__main__":
    sys.exit(run_main(main))
