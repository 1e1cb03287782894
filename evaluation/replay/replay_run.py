"""A replay from start to end: type every task into a server, then metrics, summary and page."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from evaluation.replay.lsp_client import LspClient
from evaluation.replay.replay_metrics import (
    ReplayMetrics,
    TokenCounts,
    count_tokens,
    measure_sessions,
)
from evaluation.replay.replay_page import ReplaySummary, TradeOffPoint, draw_page
from evaluation.replay.session import Session, SessionRecord
from evaluation.replay.typing_tasks import TypingTask
from evaluation.replay.workspace_folders import TaskGroup, WorkspaceFolders
from evaluation.runs.corpus_documents import CorpusDocument
from evaluation.runs.journal import read_journal, to_json_line
from evaluation.runs.run_folder import REPORT_FILE, SUMMARY_FILE
from server.suggestion.confidence import THRESHOLDS
from training.foundation.atomic_files import write_json_atomically, write_text_atomically
from training.foundation.errors import ParrotletError
from training.foundation.folder_lock import folder_lock

SESSIONS_FILE = "sessions.jsonl"
SERVER_LOG = "server.jsonl"  # of the run; each of the curve's has its own


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """How to replay.

    Attributes:
        out: The folder to write.
        model: The artifact folder of the model; None for the bundled model.
        seed: Seeds pauses and typos.
        pace: Typing speed as a multiple of a human's; 0 waits for answers instead of the clock.
        eagerness: The server's setting ``suggestion.eagerness``.
        draws_curve: Whether to replay again with every eagerness.
        workspace: The files that are known, all of each package; empty for none.
    """

    out: Path
    model: Path | None
    seed: int
    pace: float
    eagerness: str
    draws_curve: bool
    workspace: Sequence[CorpusDocument] = ()


def run_replay(tasks: Sequence[TypingTask], options: ReplayOptions) -> ReplaySummary:
    """Types the tasks and writes the run's folder; returns its summary.

    Raises:
        PrerequisiteError: The server does not start.
    """
    with folder_lock(options.out):
        records, metrics = _type_tasks(tasks, options, options.out / SERVER_LOG)
        summary = ReplaySummary(
            seed=options.seed,
            pace=options.pace,
            model=str(options.model or "bundled"),
            eagerness=options.eagerness,
            workspace=bool(options.workspace),
            metrics=metrics,
            curve=_measure_curve(tasks, options, metrics) if options.draws_curve else None,
        )
        write_json_atomically(options.out / SUMMARY_FILE, summary.to_json())
        lines = "".join(to_json_line(record.to_json()) for record in records)
        write_text_atomically(options.out / SESSIONS_FILE, lines)
        write_text_atomically(options.out / REPORT_FILE, draw_page(summary, records))
    return summary


def _measure_curve(
    tasks: Sequence[TypingTask], options: ReplayOptions, measured: ReplayMetrics
) -> dict[str, TradeOffPoint]:
    """Replays with every eagerness, as fast as the server answers.

    Args:
        tasks: What is typed.
        options: Of the run.
        measured: What was measured with these options, which need not be measured again.
    """
    curve: dict[str, TradeOffPoint] = {}
    for eagerness in THRESHOLDS:
        wanted = replace(options, eagerness=eagerness, pace=0)
        log = options.out / f"server-{eagerness}.jsonl"
        metrics = measured if wanted == options else _type_tasks(tasks, wanted, log)[1]
        curve[eagerness] = TradeOffPoint(
            keys_with_ghost=metrics.keys_with_ghost,
            precision_of_suggestions=metrics.precision_of_suggestions,
            characters_saved=metrics.characters_saved,
        )
    return curve


def _type_tasks(
    tasks: Sequence[TypingTask], options: ReplayOptions, log: Path
) -> tuple[list[SessionRecord], ReplayMetrics]:
    """Types all tasks into a server of their own; returns the records and their metrics."""
    log.unlink(missing_ok=True)
    records, cpu_s = asyncio.run(_run_sessions(tasks, options, log))
    return records, measure_sessions(records, _read_tokens(log), cpu_s=cpu_s)


def _read_tokens(log: Path) -> TokenCounts:
    """Returns the tokens in the server's event log; of a damaged one none, with a warning."""
    try:
        return count_tokens(read_journal(log))
    except (ParrotletError, TypeError) as error:
        sys.stderr.write(f"warning: tokens are not counted, since {log} is damaged: {error}\n")
        return TokenCounts()


async def _run_sessions(
    tasks: Sequence[TypingTask], options: ReplayOptions, log: Path
) -> tuple[list[SessionRecord], float | None]:
    """Returns the records of all sessions, and the servers' CPU time if it is known."""
    records: dict[str, SessionRecord] = {}
    times_s: list[float | None] = []
    with (
        WorkspaceFolders(options.workspace) as folders,
        tqdm(desc="typing", total=len(tasks), unit="file", file=sys.stderr) as progress,
    ):
        for group in folders.group_tasks(tasks):
            client = await _start_server(group, options, log)
            try:
                before_s = client.cpu_s()
                for task in group.tasks:
                    session = Session(
                        client, task, seed=options.seed, pace=options.pace, root=group.root
                    )
                    records[task.id] = await session.run()
                    progress.update()
                after_s = client.cpu_s()
            finally:
                await client.close()
            times_s.append(None if before_s is None or after_s is None else after_s - before_s)
    known_s = [time_s for time_s in times_s if time_s is not None]
    cpu_s = sum(known_s) if len(known_s) == len(times_s) else None
    return [records[task.id] for task in tasks], cpu_s


async def _start_server(group: TaskGroup, options: ReplayOptions, log: Path) -> LspClient:
    """Returns a server that is ready, and knows the workspace if there is one."""
    model = [] if options.model is None else ["--model", str(options.model)]
    client = await LspClient.start(
        ["--event-log", str(log), *model],
        {"suggestion": {"eagerness": options.eagerness}},
        root=group.root,
        environment=group.environment,
    )
    try:
        if group.root is not None:
            await client.wait_until_indexed()
    except BaseException:
        await client.close()
        raise
    return client
