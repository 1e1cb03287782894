"""Command-line arguments that several commands of evaluation share.

Imports nothing heavy, so that ``--help`` answers at once.
"""

import argparse
from pathlib import Path

from training.artifact.bundled import BUNDLED_MODEL

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


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    """Adds ``--model``, an artifact folder."""
    parser.add_argument(
        "--model",
        type=Path,
        default=BUNDLED_MODEL,
        metavar="FOLDER",
        help="the artifact folder of the model (default: the bundled model)",
    )
