"""Shows in the editor that the model is being loaded or downloaded, as LSP work-done progress."""

import asyncio
import itertools
import logging

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from server.worker.status import State

TITLE = "Parrotlet"
_LOADING = "loading the model"
_CREATE_TIMEOUT_S = 10.0  # for an editor to accept that progress is shown

_log = logging.getLogger(__name__)


class LoadProgress:
    """One progress for each time that the state is "starting"."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        self._messages: asyncio.Queue[str | None] | None = None  # None in it ends the progress
        self._tasks: set[asyncio.Task[None]] = set()

    def update(self, state: State, reason: str | None) -> None:
        """Follows a change of state; called on the event loop."""
        if state is State.STARTING:
            if self._messages is None:
                if not self._is_supported():
                    return
                self._messages = asyncio.Queue()
                task = asyncio.get_running_loop().create_task(self._show(self._messages))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            self._messages.put_nowait(reason or _LOADING)
        elif self._messages is not None:
            self._messages.put_nowait(None)
            self._messages = None

    def _is_supported(self) -> bool:
        window = self._server.client_capabilities.window
        return window is not None and bool(window.work_done_progress)

    async def _show(self, messages: asyncio.Queue[str | None]) -> None:
        progress, token = self._server.work_done_progress, f"parrotlet-{next(self._numbers)}"
        try:
            async with asyncio.timeout(_CREATE_TIMEOUT_S):
                await progress.create_async(token)
        except Exception as error:  # noqa: BLE001 - whatever the editor answers, loading goes on
            _log.info("the editor does not show progress (%s)", type(error).__name__)
            return
        first = await messages.get()
        progress.begin(token, types.WorkDoneProgressBegin(title=TITLE, message=first))
        while (message := await messages.get()) is not None:
            progress.report(token, types.WorkDoneProgressReport(message=message))
        progress.end(token, types.WorkDoneProgressEnd())
