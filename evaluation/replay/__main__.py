"""The command that replays typing: ``python -m evaluation.replay --files FOLDER``."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from evaluation.replay.replay_run import ReplayOptions, run_replay
from evaluation.replay.typing_tasks import cut_tasks, read_heldout_files, read_python_files
from evaluation.runs.arguments import (
    add_corpus_argument,
    add_out_argument,
    add_sampling_arguments,
    add_workspace_argument,
)
from evaluation.runs.known_gates import require_gate
from server.settings import Settings
from server.suggestion.confidence import THRESHOLDS
from training.artifact.bundled import BUNDLED_MODEL
from training.foundation.command_parser import command_parser, limit_float, whole_number
from training.foundation.config_schema import Range
from training.foundation.errors import run_main

_PURPOSE = """\
Replay typing through the real language server: type parts of files at a human pace with
pauses, corrections and jumps, request suggestions as VS Code does, and accept them as a
user would. Measures latency, suggestions shown and correct, and characters saved.

Prints the summary and writes summary.json, sessions.jsonl and report.html, in which a
session can be watched."""
_EXAMPLE = """\
{prog} --files src --n 5
{prog} --corpus runs/corpus/debug --pace 0 --curve"""


def main(argv: Sequence[str]) -> int:
    """Replays, writes the run's folder and prints the summary."""
    options = _parser().parse_args(argv)
    documents = list(
        read_python_files(options.files)
        if options.files
        else read_heldout_files(options.corpus, options.seed)
    )
    if options.workspace:
        require_gate(options.model or BUNDLED_MODEL)
    tasks = cut_tasks(documents, n=options.n, lines=options.lines, seed=options.seed)
    summary = run_replay(
        tasks,
        ReplayOptions(
            out=options.out,
            model=options.model,
            seed=options.seed,
            pace=options.pace,
            eagerness=options.eagerness,
            draws_curve=options.curve,
            workspace=documents if options.workspace else (),
        ),
    )
    sys.stdout.write(json.dumps(summary.to_json(), indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("evaluation.replay", _PURPOSE, example=_EXAMPLE)
    _add_files(parser)
    _add_typing(parser)
    _add_eagerness(parser)
    add_out_argument(parser, Path("runs/replay"), "the run's folder")
    return parser


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--files", type=Path, metavar="FOLDER", help="type from the Python files in this folder"
    )
    add_corpus_argument(parser, "without --files: type from the held-out packages of this corpus")
    add_workspace_argument(parser, "the other files of a file's package, or of --files, are known")
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FOLDER",
        help="the artifact folder of the model (default: the bundled model)",
    )


def _add_typing(parser: argparse.ArgumentParser) -> None:
    add_sampling_arguments(parser, 10, "files to type in", "positions, pauses and typos")
    parser.add_argument(
        "--lines",
        type=whole_number(1, 10_000),
        default=12,
        help="lines to type in each file (default: %(default)s)",
    )
    parser.add_argument(
        "--pace",
        type=limit_float(Range(0, 1000)),
        default=1.0,
        help="typing speed as a multiple of a human's; 0 waits for each answer instead of the clock"
        " (default: %(default)s)",
    )


def _add_eagerness(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--eagerness",
        choices=list(THRESHOLDS),
        default=Settings().suggestion.eagerness,
        help="the server's setting for how readily it suggests (default: %(default)s)",
    )
    parser.add_argument(
        "--curve",
        action="store_true",
        help="replay again with every eagerness, to show the trade-off",
    )


if __name__ == "__main__":
    sys.exit(run_main(main))
