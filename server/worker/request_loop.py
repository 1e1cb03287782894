"""The worker's loop: one thread reads messages, the main thread handles them one by one.

Because reading goes on meanwhile, a request can be cancelled while the model runs. Nothing here
knows of processes or protocols; :mod:`server.worker.__main__` provides the streams.
"""

import logging
import queue
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from server.backends.backend import BackendInfo, BackendUnavailableError
from server.completer import Completer
from server.settings import Settings
from server.suggestion.explanation import NO_MODEL, SUPERSEDED
from server.suggestion.next_requests import find_next_requests
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult
from server.worker.codec import BrokenStreamError, read_message, write_message
from server.worker.debounce import Debounce
from server.worker.messages import (
    BackendUnavailable,
    Cancel,
    ChangeSettings,
    CheckHealth,
    CheckProgress,
    Complete,
    Completed,
    Downloading,
    Failed,
    FromWorker,
    HealthReport,
    Load,
    LoadFailed,
    Message,
    Progress,
    ReadAhead,
    Ready,
    UpdateDocument,
    UpdateWorkspace,
    UseIndex,
)
from server.workspace.snapshot import WorkspaceSnapshot
from training.foundation.errors import ParrotletError

if TYPE_CHECKING:
    from server.workspace.sources.workspace_memory import WorkspaceMemory

_END = None  # in the queue: the stream has ended

_log = logging.getLogger(__name__)


class RequestLoop:
    """Handles the messages of one stream and answers on another."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source = source
        self._sink = sink
        self._sink_lock = threading.Lock()
        self._inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._cancellations: dict[int, threading.Event] = {}
        self._workspace = WorkspaceSnapshot()
        self._debounce = Debounce()
        self._completer: Completer | None = None
        self._memory: WorkspaceMemory | None = None
        self._ahead: tuple[CompletionRequest, ...] = ()  # to be read when nothing else is to do
        self._last_request: CompletionRequest | None = None
        self._reported_percent = -1
        self._last_step: float | None = None  # of the request that is computed

    def run(self, *, preloads: bool = False) -> None:
        """Works until the stream ends.

        Args:
            preloads: Import the model's libraries at once. Most of the time until a model is ready
                goes into that, and so it overlaps with the handshake of editor and server.
        """
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        if preloads:
            from server.backends import local_model  # noqa: F401, PLC0415 - for its imports
        while (message := self._next_message()) is not _END:
            try:
                self._handle(message)
            except BrokenStreamError:
                return

    def _next_message(self) -> Message | None:
        """Waits for the next message; reads ahead until there is one."""
        while self._ahead and self._inbox.empty():
            if self._read_ahead(self._ahead[0]):
                self._ahead = self._ahead[1:]
        return self._inbox.get()

    def _read_ahead(self, request: CompletionRequest) -> bool:
        """Reads what a request would need; returns false if a message interrupted that."""
        if self._completer is None:
            return True

        def should_stop() -> bool:
            self._last_step = time.monotonic()
            return not self._inbox.empty()

        try:
            request = replace(request, workspace=self._workspace)
            self._recall(self._completer, request.document)
            self._completer.read_ahead(request, should_stop)
        except Exception:  # noqa: BLE001 - whatever it is, a request would meet it, too
            _log.exception("cannot read ahead")
            return True
        finally:
            self._last_step = None
        return self._inbox.empty()

    def _read(self) -> None:
        """Queues messages; acts on cancellations at once."""
        try:
            while (message := read_message(self._source)) is not None:
                match message:
                    case Cancel():
                        if (cancellation := self._cancellations.get(message.id)) is not None:
                            cancellation.set()
                        continue
                    case CheckProgress():
                        last = self._last_step
                        stalled_s = 0.0 if last is None else time.monotonic() - last
                        self._send(Progress(stalled_s=stalled_s))
                        continue
                    case Complete():
                        self._cancellations[message.id] = threading.Event()
                self._inbox.put(message)
        except BrokenStreamError as error:
            _log.error("received a broken message from the server: %s", error)
        for cancellation in list(self._cancellations.values()):
            cancellation.set()
        self._inbox.put(_END)

    def _handle(self, message: Message) -> None:
        match message:
            case Complete():
                self._ahead = ()
                answer = self._complete(message)
                self._send(answer)
                self._plan_ahead(message.request, answer)
            case ReadAhead():
                self._ahead = (message.request,)
                self._last_request = message.request
            case Load():
                self._send(self._load(message.settings))
            case ChangeSettings():
                if self._completer is not None:
                    self._completer.change_settings(message.settings)
            case UpdateWorkspace():
                self._update_workspace(message.snapshot)
            case UseIndex() | UpdateDocument():
                self._update_memory(message)
            case CheckHealth():
                self._send(HealthReport(id=message.id, backend=self._describe()))
            case _:
                raise BrokenStreamError(f"'{message.kind}' is not a message to the worker")

    def _plan_ahead(self, request: CompletionRequest, answer: FromWorker) -> None:
        """Decides what to read while nothing else is to do, after a request was answered."""
        self._last_request = request
        if self._completer is None or not isinstance(answer, Completed) or answer.is_cancelled:
            return
        if request.is_asked_for and self._completer.settings.pause_on_battery:
            return  # automatic requests may be paused, and this is as automatic
        self._ahead = tuple(find_next_requests(request, answer.result.suggestion))

    def _update_workspace(self, snapshot: WorkspaceSnapshot) -> None:
        """Uses other excerpts; if the model sees them, it reads them before the next request."""
        before, self._workspace = self._workspace, snapshot
        last = self._last_request
        if last is not None and snapshot.context_text != before.context_text:
            self._ahead = (last, *self._ahead)

    def _describe(self) -> BackendInfo | None:
        if self._completer is None:
            return None
        backend = self._completer.describe()
        return backend if self._memory is None else replace(backend, memory=self._memory.describe())

    def _load(self, settings: Settings) -> Ready | LoadFailed:
        started = time.perf_counter()
        try:
            completer = Completer.load(settings=settings, on_download=self._report_download)
            completer.warm_up()
        except ParrotletError as error:
            return LoadFailed(reason=str(error))
        except Exception as error:  # noqa: BLE001 - reported to the server, which tells the user
            _log.exception("cannot load the model")
            kind = type(error).__name__
            return LoadFailed(reason=f"cannot load the model ({kind}); see the log for details")
        self._completer, self._memory = completer, completer.create_memory()
        tokenizer = "" if self._memory is None else str(self._memory.tokenizer_file)
        return Ready(load_s=round(time.perf_counter() - started, 3), tokenizer=tokenizer)

    def _update_memory(self, message: UseIndex | UpdateDocument) -> None:
        """Uses another index or document; does without it if that fails.

        Suggestions that followed a file are forgotten when it is withdrawn.
        """
        is_withdrawn = not message.folder if isinstance(message, UseIndex) else message.text is None
        if is_withdrawn and self._completer is not None:
            self._completer.forget_suggestions(only_known=isinstance(message, UpdateDocument))
        try:
            if isinstance(message, UseIndex):
                self._use_index(message.folder)
            elif self._memory is not None:
                self._memory.update_document(message.uri, message.text)
        except Exception:  # noqa: BLE001 - suggestions do without it
            _log.exception("cannot use what is known of the workspace (%s)", message.kind)

    def _use_index(self, folder: str) -> None:
        """Uses an index of the workspace's files, "" for none.

        One that cannot be read is left alone, and so is one that another tokenizer made: the model
        may have been replaced since.
        """
        if self._memory is None:
            return
        if not folder:
            self._memory.forget_files()
            return
        from server.indexing.index_store import open_index  # noqa: PLC0415 - only for a memory

        stored = open_index(Path(folder))
        if stored is not None and stored.tokenizer_sha256 == self._memory.tokenizer_sha256:
            self._memory.use_files(stored.index, built=stored.built)

    def _report_download(self, done_bytes: int, total_bytes: int) -> None:
        """Reports a download's progress at each percent; called from any thread."""
        percent = 100 * done_bytes // total_bytes
        if percent != self._reported_percent:
            self._reported_percent = percent
            self._send(Downloading(done_bytes=done_bytes, total_bytes=total_bytes))

    def _complete(self, message: Complete) -> Completed | Failed | BackendUnavailable:
        cancellation = self._cancellations[message.id]
        self._last_step = time.monotonic()
        try:
            result = self._result(message, cancellation)
        except BackendUnavailableError as error:
            return BackendUnavailable(
                id=message.id, reason=str(error), unquoted=error.unquoted, is_new=error.is_new
            )
        except Exception as error:  # noqa: BLE001 - the next request may succeed
            _log.exception("a request failed")
            return Failed(id=message.id, error_type=type(error).__name__)
        finally:
            self._last_step = None
            del self._cancellations[message.id]
        return Completed(id=message.id, result=result, is_cancelled=cancellation.is_set())

    def _result(self, message: Complete, cancellation: threading.Event) -> CompletionResult:
        if self._completer is None:
            return CompletionResult(reason=NO_MODEL)
        if cancellation.is_set():
            return CompletionResult(reason=SUPERSEDED)
        request = replace(message.request, workspace=self._workspace)
        self._recall(self._completer, request.document)
        longest_ms = self._completer.settings.suggestion.max_debounce_ms

        def wait_for_pause() -> bool:
            wait_s = self._debounce.wait_s(longest_ms=longest_ms, quiet_s=message.quiet_s)
            return not cancellation.wait(wait_s)

        def should_stop() -> bool:
            self._last_step = time.monotonic()
            return cancellation.is_set()

        wait = None if request.is_asked_for else wait_for_pause
        result = self._completer.complete(request, should_stop, wait)
        if not result.is_rest and not cancellation.is_set():
            self._debounce.record(result.total_ms)
        return result

    def _recall(self, completer: Completer, document: str) -> None:
        """Has the completer use what is known of the workspace for a document, if it may."""
        if self._memory is not None:
            is_remembered = completer.settings.context.workspace_memory
            completer.memory = self._memory.recall(document) if is_remembered else None

    def _send(self, message: FromWorker) -> None:
        with self._sink_lock:
            write_message(self._sink, message)
