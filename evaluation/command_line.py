"""What the commands of ``evaluation`` have in common on their command lines: how their help reads.

Leaves out what a command does. Imports nothing heavy, so that ``--help`` answers at once.
"""

import argparse
from pathlib import Path

from training.artifact.program import program_name

DEFAULT_CORPUS = Path("runs/corpus/default")


def add_out_argument(parser: argparse.ArgumentParser, default: Path, about: str) -> None:
    """Adds ``--out``, the folder that a command writes."""
    parser.add_argument(
        "--out",
        type=Path,
        default=default,
        metavar="FOLDER",
        help=f"{about} (default: %(default)s)",
    )


def command_parser(module: str, purpose: str, *, example: str) -> argparse.ArgumentParser:
    """Returns a parser whose help starts with the purpose and ends with an example.

    Args:
        module: The command's module, by its name in the checkout.
        purpose: One or a few sentences, in lines of at most 80 characters.
        example: Command lines; ``{prog}`` stands for the program's name.
    """
    program = program_name(module)
    lines = "\n".join(f"  {line}" for line in example.format(prog=program).split("\n"))
    return argparse.ArgumentParser(
        prog=program,
        description=purpose,
        epilog=f"examples:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
