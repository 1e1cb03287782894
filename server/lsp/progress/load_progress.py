"""Shows in the editor that the model is being loaded or downloaded."""

from pygls.lsp.server import LanguageServer

from server.lsp.progress.work_done_progress import WorkDoneProgress
from server.worker.status import State

_TOKENS = "parrotlet"
_LOADING = "loading the model"


class LoadProgress:
    """One progress for each time that the state is "starting"."""

    def __init__(self, server: LanguageServer) -> None:
        self._progress = WorkDoneProgress(server, _TOKENS)

    def update(self, state: State, reason: str | None) -> None:
        """Follows a change of state; called on the event loop."""
        if state is State.STARTING:
            self._progress.report(reason or _LOADING)
        else:
            self._progress.end()
