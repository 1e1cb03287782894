"""Completes for an event loop that must never wait: the model runs in a process of its own.

A newer request for a document supersedes an older one, and one that was computed ahead is answered
at once. The service knows no protocol; ``lsp`` is its caller.
"""

import dataclasses
import itertools
import re
from concurrent.futures import Future

from server.backends.backend import BackendInfo
from server.settings import Settings
from server.suggestion.event import CompletionEvent, Stage
from server.suggestion.explanation import COMPUTING, LOADING, NO_MODEL, SUPERSEDED
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult
from server.worker.events import EventLog
from server.worker.messages import (
    BackendUnavailable,
    Cancel,
    CheckHealth,
    Complete,
    Completed,
    Failed,
    HealthReport,
    Message,
    ReadAhead,
)
from server.worker.pending_requests import PendingRequest, PendingRequests
from server.worker.process.indexing import IndexedFolders, Indexing
from server.worker.process.supervisor import Supervisor
from server.worker.status import State, Status
from server.workspace.snapshot import WorkspaceSnapshot

_PIECE_CHARS = 1 << 16  # long documents are cut at multiples of this, so that caches stay valid
_MAX_PIECES = 8  # before the cursor, and as many after it
_HALF_PAIR = re.compile("[\ud800-\udfff]")  # a tokenizer takes none


class CompletionService:
    """Answers requests, and says how they ended.

    Attributes:
        status: What it is doing.
    """

    def __init__(self) -> None:
        """Starts nothing yet."""
        self.status = Status()
        self._events = EventLog()
        self._pending = PendingRequests()
        self._health_ids = itertools.count(1)
        self._health_checks: dict[int, Future[BackendInfo | None]] = {}
        self._supervisor = Supervisor(
            self.status,
            on_answer=self._on_answer,
            on_loss=self._give_up_all,
            on_ready=self._index_by,
        )
        self._indexing = Indexing(self._use_index)

    def prepare(self) -> None:
        """Starts the worker before it is known which model it is to load."""
        self._supervisor.prepare()

    def start(self, settings: Settings) -> None:
        """Has the model loaded; requests that are made from now on wait for it."""
        self._events.configure(settings)
        self._supervisor.start(settings)

    def change_settings(self, settings: Settings) -> None:
        """Uses other settings; the model is loaded again if they are about the model."""
        self._events.configure(settings)
        self._pending.forget_newest()
        self._supervisor.change_settings(settings)

    def use_workspace_model(self, folder: str) -> None:
        """Has the model in this folder suggest from now on; "" for that of the settings."""
        if self._supervisor.use_workspace_model(folder):
            self._pending.forget_newest()

    @property
    def uses_workspace_model(self) -> bool:
        """Whether the workspace's own model suggests: it is loaded, or is to be."""
        return self._supervisor.uses_workspace_model

    def restart(self) -> None:
        """Ends the worker and starts another."""
        self._supervisor.restart()

    def update_workspace(self, snapshot: WorkspaceSnapshot) -> None:
        """Uses what other files contribute for all requests from now on."""
        if self._supervisor.update_workspace(snapshot):
            self._pending.mark_outdated()

    def index_folders(self, folders: IndexedFolders) -> None:
        """Keeps an index of the workspace's files, if the model uses one."""
        self._indexing.use_folders(folders)

    def note_file_change(self) -> None:
        """Takes note of a file of the workspace that may have changed."""
        self._indexing.note_change()

    def update_document(self, uri: str, text: str | None) -> None:
        """Uses the text of an open document for the others; None once it is closed."""
        self._supervisor.update_document(uri, text)
        self._pending.mark_outdated()

    def submit(self, request: CompletionRequest, *, quiet_s: float = 0.0) -> PendingRequest:
        """Sends a request, which supersedes an older one for the same document.

        If the same has been requested already, because it was computed ahead, that one is returned.

        Args:
            request: What to complete.
            quiet_s: How long ago its document was changed: an editor may have waited for the next
                keystroke already.
        """
        return self._add(request, quiet_s=quiet_s, n_waiting=1)

    def compute_ahead(self, request: CompletionRequest) -> None:
        """Sends a request that is likely to be made soon, as :meth:`submit` does."""
        self._add(request, quiet_s=0.0, n_waiting=0)

    def read_ahead(self, request: CompletionRequest) -> None:
        """Has the model read, when it is idle, what a request would need; answers nothing."""
        if self.status.state is not State.STARTING:
            self._supervisor.send(ReadAhead(request=_prepare(request)))

    def _add(self, request: CompletionRequest, *, quiet_s: float, n_waiting: int) -> PendingRequest:
        pending, superseded, is_new = self._pending.add(request, n_waiting=n_waiting)
        if not is_new:
            return pending
        if superseded is not None:
            self._supervisor.send(Cancel(id=superseded.id))
        if self.status.state in {State.READY, State.IDLE}:
            self.status.set(State.BUSY)
        message = Complete(id=pending.id, request=_prepare(request), quiet_s=quiet_s)
        if not self._supervisor.send(message):
            self._end_unsent(pending)
        return pending

    def supersede(self, document: str) -> None:
        """Cancels the newest request for a document, whose result would be stale."""
        superseded = self._pending.supersede(document)
        if superseded is not None:
            self._supervisor.send(Cancel(id=superseded.id))

    def cancel(self, pending: PendingRequest) -> None:
        """Cancels a request for one of those who wait for it; without others it ends at once."""
        if self._pending.cancel(pending):
            self._supervisor.send(Cancel(id=pending.id))

    def withhold(self, reason: str, *, is_asked_for: bool) -> CompletionEvent:
        """Records that a request got no suggestion, without asking the model."""
        result = CompletionResult(reason=reason)
        return self._events.record(Stage.WITHHELD, result, is_asked_for=is_asked_for)

    def event_of(self, pending: PendingRequest) -> CompletionEvent:
        """Returns how a request ended, or what it waits for."""
        if pending.event is not None:
            return pending.event
        if pending.future.done():
            return self.describe(Stage.CANCELLED, SUPERSEDED)
        is_starting = self.status.state is State.STARTING
        return self.describe(Stage.WAITING, LOADING if is_starting else COMPUTING)

    def describe(self, stage: Stage, reason: str) -> CompletionEvent:
        """Returns an event that is not recorded, since no request ended by it."""
        return self._events.describe(stage, CompletionResult(reason=reason), is_asked_for=False)

    def check_health(self) -> Future[BackendInfo | None]:
        """Asks the worker what generates there; the answer is None while there is no model."""
        answer: Future[BackendInfo | None] = Future()
        check_id = next(self._health_ids)
        self._health_checks[check_id] = answer
        is_starting = self.status.state is State.STARTING
        if is_starting or not self._supervisor.send(CheckHealth(id=check_id)):
            self._answer_health_check(check_id, None)
        return answer

    def close(self) -> None:
        """Ends everything."""
        self._indexing.close()
        self._supervisor.close()
        self._give_up_all(None)
        self._events.close()

    @property
    def worker_pid(self) -> int | None:
        """The worker's process id, if it runs."""
        return self._supervisor.pid

    def _use_index(self, folder: str) -> None:
        if self._supervisor.use_index(folder):
            self._pending.mark_outdated()

    def _index_by(self, tokenizer: str) -> None:
        self._indexing.use_tokenizer(tokenizer)

    def _on_answer(self, message: Message) -> None:
        """Handles an answer of the worker, in the thread that reads them."""
        match message:
            case HealthReport():
                self._answer_health_check(message.id, message.backend)
            case Completed() | Failed() | BackendUnavailable():
                pending, is_last = self._pending.take(message.id)
                if pending is None:
                    return
                if isinstance(message, Completed):
                    self._complete(pending, message, is_last=is_last)
                else:
                    self._fail(pending, message)

    def _end_unsent(self, pending: PendingRequest) -> None:
        taken, _ = self._pending.take(pending.id)
        if taken is not None:  # else the worker has just died, and this request with it
            self._end(taken, Stage.MODEL, NO_MODEL)

    def _answer_health_check(self, check_id: int, backend: BackendInfo | None) -> None:
        answer = self._health_checks.pop(check_id, None)
        if answer is not None:
            answer.set_result(backend)

    def _complete(self, pending: PendingRequest, message: Completed, *, is_last: bool) -> None:
        result = message.result
        is_cancelled = message.is_cancelled or pending.future.done()
        stage = Stage.of(result, is_cancelled=is_cancelled)
        pending.event = self._events.record(
            stage, result, is_asked_for=pending.request.is_asked_for
        )
        if is_last and (self.status.state is State.BUSY or result.usage.first_token_ms is not None):
            self.status.set(State.IDLE)
        pending.resolve(None if is_cancelled else result)

    def _fail(self, pending: PendingRequest, message: Failed | BackendUnavailable) -> None:
        if isinstance(message, BackendUnavailable):
            reason, logged = message.reason, message.unquoted
            if message.is_new:
                self.status.set(State.ERROR, reason)
        else:
            reason = logged = f"a request failed ({message.error_type}); see the log"
            self.status.set(State.ERROR, reason)
            self.status.set(State.IDLE)  # the next request may succeed
        self._end(pending, Stage.FAILED, reason, logged)

    def _end(
        self, pending: PendingRequest, stage: Stage, reason: str, logged: str | None = None
    ) -> None:
        """Ends a request without a result, and records why; ``logged`` is the reason in the log."""
        result, is_asked_for = CompletionResult(reason=reason), pending.request.is_asked_for
        pending.event = self._events.record(
            stage, result, is_asked_for=is_asked_for, logged_reason=logged
        )
        pending.resolve(None)

    def _give_up_all(self, reason: str | None) -> None:
        """Ends all requests without a result; with a reason, as failed ones."""
        for pending in self._pending.take_all():
            if reason is None:
                pending.resolve(None)
            else:
                self._end(pending, Stage.FAILED, reason)
        for check_id in list(self._health_checks):
            self._answer_health_check(check_id, None)


def _prepare(request: CompletionRequest) -> CompletionRequest:
    """Returns a request as the worker is to have it: cropped, and its text well-formed."""
    request = _crop(request)
    if request.text.isascii():
        return request
    return dataclasses.replace(request, text=_HALF_PAIR.sub("\ufffd", request.text))


def _crop(request: CompletionRequest) -> CompletionRequest:
    """Returns a request with the part of a very long document that can matter."""
    half = _PIECE_CHARS * _MAX_PIECES
    if len(request.text) <= 2 * half:
        return request
    start = max(0, request.offset - half) // _PIECE_CHARS * _PIECE_CHARS
    if start:  # at a line's beginning, if one is near
        newline = request.text.find("\n", start, start + _PIECE_CHARS)
        start = newline + 1 if newline >= 0 else start
    text = request.text[start : request.offset + half]
    return dataclasses.replace(request, text=text, offset=request.offset - start)
