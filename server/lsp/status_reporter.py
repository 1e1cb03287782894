"""Tells the client what the service is doing: as a notification, as progress, and as an error."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from server.lsp.progress.load_progress import LoadProgress
from server.worker.status import State, Status

if TYPE_CHECKING:
    from server.lsp.server import Server

STATUS_METHOD = "parrotlet/status"


class StatusReporter:
    """Reports each change of a status, from whichever thread, on the event loop."""

    def __init__(self, server: "Server", status: Status) -> None:
        self._server = server
        self._status = status
        self._progress = LoadProgress(server)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shown_errors: set[str] = set()
        status.on_change = lambda state, reason: self._schedule(self._report, state, reason)
        status.on_warning = lambda sentence: self._schedule(self._warn, sentence)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins to report; what changed before is not reported."""
        self._loop = loop

    def report_again(self) -> None:
        """Reports the status as it is, since the description of the model has changed."""
        self._schedule(self._report, self._status.state, self._status.reason)

    def _schedule(self, report: Callable[..., None], *arguments: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(report, *arguments)

    def _warn(self, sentence: str) -> None:
        self._server.show(types.MessageType.Warning, f"Parrotlet: {sentence}")

    def _report(self, state: State, reason: str | None) -> None:
        content = {"state": str(state), "reason": reason, "model": self._server.describe_model()}
        self._server.protocol.notify(STATUS_METHOD, content)
        self._progress.update(state, reason)
        if state is State.ERROR and reason is not None and reason not in self._shown_errors:
            self._shown_errors.add(reason)
            self._server.show(types.MessageType.Error, f"Parrotlet: {reason}")
