"""Typing replayed: ``python -m evaluation.replay [--files DIR] [--seed N] [--out DIR]``.

Types stretches of held-out files (or any others) into the real server, at a human pace with pauses,
corrections and jumps, asks at each change as VS Code does, accepts as a user would, and tells what
came of it: ``summary.json``, ``sessions.jsonl`` and ``report.html`` in ``--out``.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.artifact.extras import require_extra

if __name__ == "__main__":
    require_extra("evaluate")  # before the imports that need it

from tqdm import tqdm

from evaluation.journal import line_of, read_journal
from evaluation.replay.client import Client
from evaluation.replay.figures import summarise
from evaluation.replay.page import CURVE, replay_page
from evaluation.replay.session import Record, Session, Task
from evaluation.replay.tasks import cut_tasks, files_in, heldout
from server.confidence import THRESHOLDS
from server.settings import Settings
from training.artifact.errors import ConfigError, run_main
from training.artifact.files import write_json_atomically, write_text_atomically

_SERVER_LOG = "server.jsonl"


def main(argv: Sequence[str]) -> int:
    """Replays, writes and prints."""
    options = _parser().parse_args(argv)
    if options.n < 1 or options.lines < 1 or options.pace < 0:
        raise ConfigError("--n and --lines must be at least 1, --pace at least 0")
    documents = files_in(options.files) if options.files else heldout(options.corpus, options.seed)
    tasks = cut_tasks(documents, n=options.n, lines=options.lines, seed=options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    records, figures = _measured(tasks, options, eagerness=options.eagerness, pace=options.pace)
    told = {
        "seed": options.seed,
        "pace": options.pace,
        "model": str(options.model or "bundled"),
        "eagerness": options.eagerness,
    }
    summary: dict[str, Any] = {**told, **figures}
    if options.curve:
        summary["curve"] = {name: _point(tasks, options, name) for name in THRESHOLDS}
    write_json_atomically(options.out / "summary.json", summary)
    lines = (line_of({"task": vars(r.task), "events": r.events}) for r in records)
    write_text_atomically(options.out / "sessions.jsonl", "".join(lines))
    write_text_atomically(options.out / "report.html", replay_page(summary, records))
    sys.stdout.write(json.dumps(summary, indent=2) + "\n")
    return 0


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
    parser = argparse.ArgumentParser(prog="python -m evaluation.replay", description=__doc__)
    parser.add_argument("--files", type=Path, help="a folder of Python files to type from")
    parser.add_argument(
        "--corpus",
        type=Path,
        default=Path("runs/corpus/default"),
        help="without --files: a corpus, whose held-out packages are typed from",
    )
    parser.add_argument("--model", type=Path, help="an artifact directory; else the bundled one")
    parser.add_argument("--n", type=int, default=10, help="files")
    parser.add_argument("--lines", type=int, default=12, help="lines typed in each")
    parser.add_argument("--seed", type=int, default=0, help="of places and typist")
    parser.add_argument(
        "--pace",
        type=float,
        default=1.0,
        help="times as fast as a human; 0 waits for each answer instead of for the clock",
    )
    parser.add_argument(
        "--eagerness",
        choices=list(THRESHOLDS),
        default=Settings().suggestion.eagerness,
        help="how sure the model has to be",
    )
    parser.add_argument(
        "--curve", action="store_true", help="once more with each eagerness, for the trade-off"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/replay"), help="the run's folder")
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
