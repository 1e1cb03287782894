"""Shows in the editor that a model is being loaded or fetched, by the protocol's own progress."""

import asyncio
import itertools
import logging

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from server.worker.service import State

TITLE = "Parrotlet"
_LOADING = "loading the model"
_PATIENCE_S = 10.0  # for an editor to say that it will show progress

_log = logging.getLogger(__name__)


class Loading:
    """One progress from each "starting" to the next other state."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        self._news: asyncio.Queue[str | None] | None = None  # None in it ends the progress
        self._showing: set[asyncio.Task[None]] = set()

    def tell(self, state: State, reason: str | None) -> None:
        """Takes a new state; called on the event loop."""
        if state is State.STARTING:
            if self._news is None:
                if not self._is_shown_by_client():
                    return
                self._news = asyncio.Queue()
                task = asyncio.get_running_loop().create_task(self._show(self._news))
                self._showing.add(task)
                task.add_done_callback(self._showing.discard)
            self._news.put_nowait(reason or _LOADING)
        elif self._news is not None:
            self._news.put_nowait(None)
            self._news = None

    def _is_shown_by_client(self) -> bool:
        window = self._server.client_capabilities.window
        return window is not None and bool(window.work_done_progress)

    async def _show(self, news: asyncio.Queue[str | None]) -> None:
        progress, token = self._server.work_done_progress, f"parrotlet-{next(self._numbers)}"
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await progress.create_async(token)
        except Exception as error:  # noqa: BLE001 - whatever the editor answers, loading goes on
            _log.info("the editor does not show progress (%s)", type(error).__name__)
            return
        first = await news.get()
        progress.begin(token, types.WorkDoneProgressBegin(title=TITLE, message=first))
        while (what := await news.get()) is not None:
            progress.report(token, types.WorkDoneProgressReport(message=what))
        progress.end(token, types.WorkDoneProgressEnd())
