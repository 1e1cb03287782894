"""LSP work-done progress: begun with the first report, and gone when the work ends.

Editors may refuse it or answer late; whatever they do, the work is not affected.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass

from lsprotocol import types
from pygls.lsp.server import LanguageServer

TITLE = "Parrotlet"
_CREATE_TIMEOUT_S = 10.0  # for an editor to accept that progress is shown

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Report:
    """What is shown from now on; ``percentage`` is None where it is unknown."""

    message: str
    percentage: int | None
    is_last: bool = False


class WorkDoneProgress:
    """Shows one piece of work after the other; all methods are called on the event loop.

    Args:
        server: The connection to the client.
        name: The beginning of the tokens, by which clients tell kinds of work apart.
        on_cancel: Called when the user cancels; None if the work cannot be cancelled.
    """

    def __init__(
        self, server: LanguageServer, name: str, on_cancel: Callable[[], None] | None = None
    ) -> None:
        self._server = server
        self._name = name
        self._on_cancel = on_cancel
        self._numbers = itertools.count(1)
        self._reports: asyncio.Queue[_Report] | None = None  # None: nothing is shown
        self._newest: _Report | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def report(self, message: str, *, done: float | None = None) -> None:
        """Shows a message.

        Args:
            message: What is being done.
            done: The share of the work that is done; None if it is unknown.
        """
        if self._reports is None:
            if not self._is_supported():
                return
            self._reports = asyncio.Queue()
            task = asyncio.get_running_loop().create_task(self._show(self._reports))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        percentage = None if done is None else int(100 * min(max(done, 0.0), 1.0))
        report = _Report(message, percentage)
        if report != self._newest:
            self._newest = report
            self._reports.put_nowait(report)

    def end(self, message: str = "") -> None:
        """Ends what is shown, if anything is."""
        if self._reports is not None:
            self._reports.put_nowait(_Report(message, None, is_last=True))
            self._reports = self._newest = None

    def _is_supported(self) -> bool:
        window = self._server.client_capabilities.window
        return window is not None and bool(window.work_done_progress)

    async def _show(self, reports: asyncio.Queue[_Report]) -> None:
        progress, token = self._server.work_done_progress, f"{self._name}-{next(self._numbers)}"
        try:
            async with asyncio.timeout(_CREATE_TIMEOUT_S):
                await progress.create_async(token)
        except Exception as error:  # noqa: BLE001 - whatever the editor answers, the work goes on
            _log.info("the editor does not show progress (%s)", type(error).__name__)
            return
        self._listen_for_cancel(token)
        first = await reports.get()
        progress.begin(token, self._begin(first))
        while not (report := await reports.get()).is_last:
            shown = types.WorkDoneProgressReport(
                message=report.message, percentage=report.percentage
            )
            progress.report(token, shown)
        progress.end(token, types.WorkDoneProgressEnd(message=report.message or None))
        progress.tokens.pop(token, None)

    def _begin(self, first: _Report) -> types.WorkDoneProgressBegin:
        return types.WorkDoneProgressBegin(
            title=TITLE,
            message=first.message,
            percentage=first.percentage,
            cancellable=True if self._on_cancel is not None else None,
        )

    def _listen_for_cancel(self, token: str) -> None:
        on_cancel = self._on_cancel
        if on_cancel is not None:
            future = self._server.work_done_progress.tokens[token]
            future.add_done_callback(lambda done: on_cancel() if done.cancelled() else None)
