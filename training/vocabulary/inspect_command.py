"""``parrotlet tokenizer inspect``: what tokenizers do to a text, stage by stage.

Called by ``training.train_tokenizer`` for its first argument ``inspect``.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training.artifact.bundled import BUNDLED
from training.foundation.command_parser import command_parser, whole_number
from training.foundation.config_schema import to_mapping
from training.foundation.errors import ConfigError, ForeignDataError
from training.foundation.foreign_text import read_bounded, render_json, replace_surrogates
from training.vocabulary.compared_vocabulary import load_fast
from training.vocabulary.inspection import inspect_text
from training.vocabulary.inspection_text import (
    format_figures,
    format_inspection,
    format_vocabulary,
)

INSPECT = "inspect"
MAX_TEXT_BYTES = 4 << 20
EXAMPLE_TEXT = 'def greet(name):\n    print(f"Hello, {name}!")  # naïve\n\n\ngreet("Ada")\n'
_PURPOSE = """\
Show what tokenizers do to a text: the normaliser, pre-tokens with their places in the text, the
alphabet of bytes, tokens and ids, what is added around them, and the decoded text; then the
figures of all of them side by side.

A tokenizer is a tokenizer.json, a folder with one, a model folder, 'bundled', or a name of the
Hugging Face Hub such as gpt2 or OWNER/NAME@REVISION."""
_EXAMPLE = """\
{prog} inspect
{prog} inspect 'for i in range(10):' --tokenizer runs/default/tokenizer --compare-with gpt2
{prog} inspect setup.py --compare-with t5-base --compare-with camembert-base --vocabulary"""


def inspect_tokenizers(argv: Sequence[str]) -> int:
    """Prints the inspection.

    Raises:
        ConfigError: A tokenizer or the file cannot be read.
        HubError: A tokenizer cannot be fetched.
    """
    options = _parser().parse_args(argv)
    text = read_text(options.text)
    names = [options.tokenizer, *options.compare_with]
    found = [inspect_text(n, load_fast(n), text, whole=options.alphabet) for n in names]
    if options.json:
        sys.stdout.write(render_json([to_mapping(one) for one in found], indent=2) + "\n")
        return 0
    parts = [format_inspection(one, text, most=options.limit) for one in found]
    if options.vocabulary:
        parts += [format_vocabulary(one.name, one.fit) for one in found]
    sys.stdout.write("\n".join([*parts, format_figures(found)]))
    return 0


def read_text(argument: str | None) -> str:
    """Returns the text that an argument is or names: a file, "-" for standard input, or itself.

    Raises:
        ConfigError: The file is no text, or too long.
    """
    if argument is None:
        return EXAMPLE_TEXT
    if argument == "-":
        data = sys.stdin.buffer.read(MAX_TEXT_BYTES + 1)[:MAX_TEXT_BYTES]
        return data.decode("utf-8", errors="replace")
    try:
        is_file = Path(argument).is_file()
    except (OSError, ValueError):  # too long for a name, or with a null character
        is_file = False
    if not is_file:
        return replace_surrogates(argument)
    try:
        return read_bounded(Path(argument), MAX_TEXT_BYTES).decode()
    except (ForeignDataError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{argument} cannot be inspected ({error}); name a text file of at most"
            f" {MAX_TEXT_BYTES >> 20} MiB, or give the text itself"
        ) from error


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("training.train_tokenizer", _PURPOSE, example=_EXAMPLE)
    parser.prog = f"{parser.prog} {INSPECT}"
    parser.add_argument(
        "text", nargs="?", metavar="TEXT|FILE", help="a text, a file, or - for standard input"
    )
    parser.add_argument(
        "--tokenizer",
        default=str(BUNDLED),
        metavar="TOKENIZER",
        help="the tokenizer to inspect (default: %(default)s)",
    )
    parser.add_argument(
        "--compare-with",
        action="append",
        default=[],
        metavar="TOKENIZER",
        help="another one to inspect too; may be given several times",
    )
    parser.add_argument(
        "--alphabet", action="store_true", help="list all 256 bytes, not those of the text alone"
    )
    parser.add_argument(
        "--vocabulary",
        action="store_true",
        help="also list first, last and longest tokens, and keywords of several tokens",
    )
    parser.add_argument(
        "--limit",
        type=whole_number(1),
        default=200,
        metavar="N",
        help="how many pre-tokens and tokens to list (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    return parser
