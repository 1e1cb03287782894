"""Typing replayed: ``python -m evaluation.replay [--files DIR] [--seed N] [--out DIR]``.

Types parts of held-out files (or any others) into the real server, at a human pace with pauses,
corrections and jumps, requests suggestions at each change as VS Code does, accepts as a user would,
and writes the results to ``summary.json``, ``sessions.jsonl`` and ``report.html`` in ``--out``.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from tqdm import tqdm

from evaluation.command_line import DEFAULT_CORPUS, add_out_argument
from evaluation.replay.lsp_client import Client
from evaluation.replay.replay_metrics import summarise
from evaluation.replay.replay_page import CURVE, replay_page
from evaluation.replay.session import Record, Session, Task
from evaluation.replay.tasks import cut_tasks, files_in, heldout
from evaluation.runs.journal import line_of, read_journal
from server.settings import Settings
from server.suggestion.confidence import THRESHOLDS
from training.foundation.atomic_files import write_json_atomically, write_text_atomically
from training.foundation.command_parser import command_parser
from training.foundation.errors import ConfigError, run_main
from training.foundation.folder_lock import folder_lock

_SERVER_LOG = "server.jsonl"
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
    """Replays, writes and prints."""
    options = _parser().parse_args(argv)
    if options.n < 1 or options.lines < 1 or options.pace < 0:
        raise ConfigError("--n and --lines must be at least 1, and --pace at least 0")
    documents = files_in(options.files) if options.files else heldout(options.corpus, options.seed)
    tasks = cut_tasks(documents, n=options.n, lines=options.lines, seed=options.seed)
    with folder_lock(options.out):
        summary = _write(tasks, options)
    sys.stdout.write(json.dumps(summary, indent=2) + "\n")
    return 0


def _write(tasks: Sequence[Task], options: argparse.Namespace) -> dict[str, Any]:
    """Replays the tasks and writes the run's folder; returns its summary."""
    records, figures = _measured(tasks, options, eagerness=options.eagerness, pace=options.pace)
    settings = {
        "seed": options.seed,
        "pace": options.pace,
        "model": str(options.model or "bundled"),
        "eagerness": options.eagerness,
    }
    summary: dict[str, Any] = {**settings, **figures}
    if options.curve:
        summary["curve"] = {name: _point(tasks, options, name) for name in THRESHOLDS}
    write_json_atomically(options.out / "summary.json", summary)
    lines = (line_of({"task": vars(r.task), "events": r.events}) for r in records)
    write_text_atomically(options.out / "sessions.jsonl", "".join(lines))
    write_text_atomically(options.out / "report.html", replay_page(summary, records))
    return summary


def _measured(
    tasks: Sequence[Task], options: argparse.Namespace, *, eagerness: str, pace: float
) -> tuple[list[Record], dict[str, Any]]:
    """Types all tasks into a server of its own; returns what happened, and its figures."""
    log = options.out / _SERVER_LOG
    log.unlink(missing_ok=True)
    records, cpu_s = asyncio.run(_replay(tasks, options, log, eagerness=eagerness, pace=pace))
    return records, summarise(records, read_journal(log), cpu_s=cpu_s)


def _point(tasks: Sequence[Task], options: argparse.Namespace, eagerness: str) -> dict[str, Any]:
    """Returns what one eagerness comes to, typed as fast as it answers."""
    _, figures = _measured(tasks, options, eagerness=eagerness, pace=0)
    return {name: figures[name] for name in CURVE}


async def _replay(
    tasks: Sequence[Task], options: argparse.Namespace, log: Path, *, eagerness: str, pace: float
) -> tuple[list[Record], float | None]:
    arguments: list[Any] = ["--event-log", log]
    if options.model is not None:
        arguments += ["--model", options.model]
    settings = {"suggestion": {"eagerness": eagerness}}
    client = await Client.start([str(word) for word in arguments], settings)
    try:
        before_s = client.cpu_s()
        records = []
        for task in tqdm(tasks, desc="typing", unit="file", file=sys.stderr):
            session = Session(client, task, seed=options.seed, pace=pace)
            records.append(await session.run())
        after_s = client.cpu_s()
    finally:
        await client.close()
    is_known = before_s is not None and after_s is not None
    return records, (after_s or 0.0) - (before_s or 0.0) if is_known else None


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("evaluation.replay", _PURPOSE, example=_EXAMPLE)
    parser.add_argument(
        "--files", type=Path, metavar="FOLDER", help="type from the Python files in this folder"
    )
    parser.add_argument(
        "--corpus",
        type=Path,
        default=DEFAULT_CORPUS,
        metavar="FOLDER",
        help="without --files: type from the held-out packages of this corpus (default:"
        " %(default)s)",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FOLDER",
        help="the artifact folder of the model (default: the bundled model)",
    )
    parser.add_argument("--n", type=int, default=10, help="files to type in (default: %(default)s)")
    parser.add_argument(
        "--lines", type=int, default=12, help="lines to type in each file (default: %(default)s)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="random seed for positions, pauses and typos (default: %(default)s)",
    )
    parser.add_argument(
        "--pace",
        type=float,
        default=1.0,
        help="typing speed as a multiple of a human's; 0 waits for each answer instead of the clock"
        " (default: %(default)s)",
    )
    _add_eagerness(parser)
    add_out_argument(parser, Path("runs/replay"), "the run's folder")
    return parser


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
