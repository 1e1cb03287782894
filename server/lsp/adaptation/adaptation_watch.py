"""Follows the workspace's adaptations: tells the client, and switches the model when one is better.

The process that adapts belongs to nobody; each editor with the workspace open follows it by its
files. Clients with a display of their own get ``parrotlet/adaptation``; all others see work-done
progress for each, which they can cancel, and one message at the end.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lsprotocol import types

from server.adaptation.adaptation_state import AdaptationState, RunState
from server.lsp.adaptation.adaptation_menus import (
    Action,
    describe_adapted_model,
    describe_end,
    describe_run,
    describe_status,
    describe_withheld_models,
    list_end_actions,
    list_run_actions,
)
from server.lsp.adaptation.workspace_runs import (
    ENDED,
    Run,
    WorkspaceRuns,
    has_any_model,
    note_read,
    read_runs,
)
from server.lsp.documents.document_changes import get_field
from server.lsp.progress.work_done_progress import WorkDoneProgress
from server.suggestion.explanation import end_sentence

if TYPE_CHECKING:
    from server.lsp.server import Server

ADAPTATION_METHOD = "parrotlet/adaptation"
PROGRESS_TOKENS = "parrotlet-adaptation"
PROGRESS, MESSAGES = "progress", "messages"  # what a client may show by itself
_RUNNING_INTERVAL_S = 1.0
_RESTING_INTERVAL_S = 2.0
_NOTIFY_INTERVAL_S = 2.0

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What the user should read now."""

    message: str
    is_problem: bool = False
    actions: tuple[Action, ...] = field(default=())


class AdaptationWatch:
    """Looks at the files once a second while something is being adapted, and seldom otherwise.

    Attributes:
        runs: What the last look has found.
    """

    def __init__(self, server: "Server") -> None:
        self.runs = WorkspaceRuns()
        self._server = server
        self._executor = ThreadPoolExecutor(1, "adaptation")  # a workspace's disk may be dead
        self._progress: dict[str, WorkDoneProgress] = {}  # by the adaptation's name
        self._is_due = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._known_roots: set[Path] = set()
        self._states: dict[str, AdaptationState] = {}
        self._notified: dict[str, float] = {}
        self._artifact: Path | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins to look."""
        if self._task is None:
            self._artifact = self._server.workspace_context.adapted_model
            self._task = loop.create_task(self._watch())

    def describe_adapted(self) -> str | None:
        """Returns to what the model in use was adapted, and the gain; None if it was not."""
        model = self.runs.model
        return None if model is None else describe_adapted_model(model)

    def describe_withheld(self) -> str | None:
        """Returns which adapted models do not suggest, and why; None if there are none."""
        return describe_withheld_models(self.runs.withheld) if self.runs.withheld else None

    def describe_running(self) -> str | None:
        """Returns how an adaptation that has not ended is going; None if there is none."""
        for run in self.runs.runs:
            if run.state.state not in ENDED:
                return describe_run(run.state)
        return None

    @property
    def shows_messages(self) -> bool:
        """Whether the client shows notices and pages by itself."""
        return MESSAGES in self._shown_by_client()

    async def call(self, function: Callable[[], _T]) -> _T:
        """Calls what reads or writes the files, in the one thread for that; looks again then."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, function)
        finally:
            self._is_due.set()

    async def _watch(self) -> None:
        while True:
            if self._states or has_any_model():
                self._follow(await self._look())
            is_running = any(state.is_unfinished for state in self._states.values())
            interval_s = _RUNNING_INTERVAL_S if is_running else _RESTING_INTERVAL_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval_s):
                    await self._is_due.wait()
            self._is_due.clear()

    async def _look(self) -> WorkspaceRuns:
        roots = self._server.workspace_context.roots
        new = [root for root in roots if root not in self._known_roots]
        self._known_roots.update(new)
        settings = self._server.configuration.settings
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, _read_safely, roots, settings, new)

    def _follow(self, found: WorkspaceRuns) -> None:
        was_withheld, self.runs = bool(self.runs.withheld), found
        if bool(found.withheld) != was_withheld:
            self._server.report_status()
        if found.artifact != self._artifact:
            self._artifact = found.artifact
            self._server.workspace_context.configure(self._server.configuration.settings)
        names = {run.state.name for run in found.runs}
        for name in set(self._states) - names:
            self._notify_removed(self._states.pop(name))
        for run in found.runs:
            before = self._states.get(run.state.name)
            self._states[run.state.name] = run.state
            self._report(run, before)
        self._show_progress([run.state for run in found.runs if run.state.is_unfinished])

    def _report(self, run: Run, before: AdaptationState | None) -> None:
        notices = list(_list_notices(run, before))
        is_new = before is None or _summarise(before) != _summarise(run.state)
        is_old_end = before is None and run.state.state in ENDED and not notices
        if is_old_end:
            return
        last = self._notified.get(run.state.name, float("-inf"))
        is_due = run.state != before and time.monotonic() - last >= _NOTIFY_INTERVAL_S
        if is_new or is_due or notices:
            self._notify(run.state, notices)
        if notices and run.state.state in ENDED:
            self._executor.submit(note_read, run)

    def _notify(self, state: AdaptationState, notices: list[Notice]) -> None:
        self._notified[state.name] = time.monotonic()
        is_open = state.is_unfinished or state.state is RunState.INTERRUPTED
        content = {
            **state.to_json(),
            "status": describe_status(state),
            "title": describe_run(state),
            "actions": [asdict(one) for one in list_run_actions(state)] if is_open else [],
            "notices": [asdict(one) for one in notices],
        }
        self._server.protocol.notify(ADAPTATION_METHOD, content)
        if not self.shows_messages:
            for notice in notices:
                kind = types.MessageType.Error if notice.is_problem else types.MessageType.Info
                self._server.show(kind, f"Parrotlet: {notice.message}")

    def _notify_removed(self, state: AdaptationState) -> None:
        content = {**state.to_json(), "status": "", "title": "", "actions": [], "notices": []}
        self._server.protocol.notify(ADAPTATION_METHOD, content)

    def _show_progress(self, running: Sequence[AdaptationState]) -> None:
        if PROGRESS in self._shown_by_client():
            return
        for name in set(self._progress) - {state.name for state in running}:
            self._progress[name].end()
        for state in running:
            folder = f"{Path(state.folder).name}: " if len(running) > 1 else ""
            self._progress_of(state.name).report(f"{folder}{state.sentence}", done=state.done)

    def _progress_of(self, name: str) -> WorkDoneProgress:
        """Returns the progress that shows an adaptation, and cancels that one."""
        if name not in self._progress:
            token = f"{PROGRESS_TOKENS}-{name}"
            self._progress[name] = WorkDoneProgress(
                self._server, token, functools.partial(self._cancel, name)
            )
        return self._progress[name]

    def _shown_by_client(self) -> list[Any]:
        experimental = self._server.client_capabilities.experimental
        shown = get_field(get_field(experimental, "parrotlet"), "shows")
        return shown if isinstance(shown, list) else []

    def _cancel(self, name: str) -> None:
        """Cancels an adaptation whose progress the user has cancelled."""
        for run in self.runs.runs:
            if run.state.name == name and run.state.is_unfinished:
                self._executor.submit(run.adaptation.cancel)
        self._is_due.set()


def _read_safely(roots: Sequence[Path], settings: Any, new: Sequence[Path]) -> WorkspaceRuns:
    """Reads; a folder that cannot be read has no adaptation until it can."""
    try:
        return read_runs(roots, settings, new)
    except (OSError, RuntimeError):  # a RuntimeError is a loop of links
        return WorkspaceRuns()


def _describe_end(run: Run) -> str:
    return describe_end(run.state, is_served=run.is_served, is_withheld=run.is_withheld)


def _summarise(state: AdaptationState) -> tuple[object, ...]:
    """Returns what a client hears of at once when it changes."""
    return state.state, state.phase, state.reason


def _list_notices(run: Run, before: AdaptationState | None) -> Iterator[Notice]:
    """Yields what the user should read about a change: ends, interruptions, and what continues."""
    state = run.state
    if run.error is not None:
        yield Notice(message=end_sentence(run.error), is_problem=True)
    if run.has_continued:
        name = Path(state.folder).name
        yield Notice(
            message=f"The interrupted adaptation to {name} continues.",
            actions=list_run_actions(state),
        )
    was_open = before is not None and before.state not in ENDED
    if state.state in ENDED:
        is_unread = run.has_unread_end and state.state is not RunState.CANCELLED
        if was_open or (before is None and is_unread):
            yield Notice(
                message=end_sentence(_describe_end(run)),
                is_problem=state.state is RunState.FAILED,
                actions=list_end_actions(state),
            )
    is_new = before is None or before.is_unfinished
    if state.state is RunState.INTERRUPTED and is_new and run.error is None:
        yield Notice(message=describe_run(state), actions=list_run_actions(state))
