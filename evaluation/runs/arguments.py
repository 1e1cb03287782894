"""Command-line arguments that several commands of evaluation share.

Imports nothing heavy, so that ``--help`` answers at once.
"""

import argparse
from pathlib import Path

from server.settings import DEVICES
from training.artifact.bundled import BUNDLED_MODEL
from training.foundation.command_parser import whole_number

DEFAULT_CORPUS = Path("runs/corpus/default")
MAX_N = 1_000_000
MAX_SEED = 2**63 - 1


def add_out_argument(parser: argparse.ArgumentParser, default: Path, about: str) -> None:
    """Adds ``--out``, the folder that a command writes."""
    parser.add_argument(
        "--out",
        type=Path,
        default=default,
        metavar="FOLDER",
        help=f"{about} (default: %(default)s)",
    )


def add_corpus_argument(parser: argparse.ArgumentParser, about: str) -> None:
    """Adds ``--corpus``, a corpus' folder."""
    parser.add_argument(
        "--corpus",
        type=Path,
        default=DEFAULT_CORPUS,
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


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """Adds ``--device``, where models run."""
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="where the model runs (default: a GPU if there is one)",
    )


def add_workspace_argument(parser: argparse.ArgumentParser, about: str) -> None:
    """Adds ``--workspace``: whether other files are known."""
    parser.add_argument("--workspace", action="store_true", help=f"{about}, as in an editor")


def add_sampling_arguments(
    parser: argparse.ArgumentParser, default_n: int, n_about: str, seed_about: str
) -> None:
    """Adds ``--n`` and ``--seed``: how many of something to take at random, and which."""
    parser.add_argument(
        "--n",
        type=whole_number(1, MAX_N),
        default=default_n,
        help=f"{n_about} (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0, MAX_SEED),
        default=0,
        help=f"random seed for {seed_about} (default: %(default)s)",
    )
