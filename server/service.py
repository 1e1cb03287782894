"""The completer in a thread of its own, for an event loop that must never wait.

It loads the model after the protocol's handshake, runs one request at a time, lets a newer request
for a document take the place of an older one, and reports its state. It knows no protocol; ``lsp``
is its caller, and torch is imported in its thread only, so that the handshake does not wait.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from server.confidence import UNSURE
from server.request import CompletionRequest, CompletionResult
from server.settings import Settings
from training.artifact.errors import ParrotletError

if TYPE_CHECKING:
    from server.completer import Completer
    from server.events import EventLog

_log = logging.getLogger(__name__)


class State(StrEnum):
    """What the service is doing, as its clients show it."""

    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    IDLE = "idle"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A request under way: set ``stop`` to end it, wait for ``future``."""

    future: Future[CompletionResult | None]
    stop: threading.Event


class CompletionService:
    """Owns the engine's thread."""

    def __init__(self, report: Callable[[State, str | None], None]) -> None:
        """Starts nothing yet.

        Args:
            report: Told each new state with a reason, from the engine's thread or the caller's.
        """
        self._report = report
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine")
        self._completer: Completer | None = None
        self._events: EventLog | None = None
        self._running: dict[str, Ticket] = {}
        self._running_lock = threading.Lock()
        self._is_closing = False

    def start(self, settings: Settings) -> None:
        """Begins to load the model; requests made from now on wait for it."""
        self._report(State.STARTING, None)
        self._thread.submit(self._load, settings)

    def submit(self, request: CompletionRequest) -> Ticket:
        """Queues a request, in place of an older one for the same document.

        The future's result is None if the request was stopped before it began, or if there is no
        model.
        """
        uri = request.document
        self.supersede(uri)
        stop = threading.Event()
        ticket = Ticket(future=self._thread.submit(self._complete, request, stop), stop=stop)
        with self._running_lock:
            self._running[uri] = ticket
        ticket.future.add_done_callback(lambda _: self._forget(uri, ticket))
        return ticket

    def supersede(self, uri: str) -> None:
        """Stops the request under way for a document, whose answer would be stale."""
        with self._running_lock:
            ticket = self._running.pop(uri, None)
        if ticket is not None:
            ticket.stop.set()

    def explain(self) -> dict[str, object] | None:
        """Returns how the last request ended, and why; None before the first."""
        return None if self._events is None else self._events.last

    def close(self) -> None:
        """Stops everything and ends the thread."""
        self._is_closing = True
        for uri in list(self._running):
            self.supersede(uri)
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._events is not None:
            self._events.close()

    def _forget(self, uri: str, ticket: Ticket) -> None:
        with self._running_lock:
            if self._running.get(uri) is ticket:
                del self._running[uri]

    def _load(self, settings: Settings) -> None:
        started = time.perf_counter()
        try:
            from server.completer import Completer  # noqa: PLC0415 - imports torch: seconds
            from server.events import EventLog  # noqa: PLC0415

            self._events = EventLog(settings.event_log)
            completer = Completer.load(settings=settings)
            completer.warm_up()
        except ParrotletError as error:
            _log.error("%s", error)
            self._report(State.ERROR, str(error))
        except Exception as error:  # noqa: BLE001 - the server must outlive its model
            _log.exception("the model could not be loaded")
            self._report(State.ERROR, f"the model could not be loaded ({type(error).__name__})")
        else:
            self._completer = completer
            _log.info("ready after %.1f s", time.perf_counter() - started)
            self._report(State.READY, None)

    def _complete(
        self, request: CompletionRequest, stop: threading.Event
    ) -> CompletionResult | None:
        if self._completer is None or self._is_closing:
            return None
        if stop.is_set():
            self._record("cancelled", CompletionResult(reason="superseded before it began"))
            return None
        self._report(State.BUSY, None)
        try:
            result = self._completer.complete(request, stop.is_set)
        except Exception as error:  # noqa: BLE001 - and any single request
            reason = f"the last request failed ({type(error).__name__})"
            _log.exception("a request failed")
            self._record("failed", CompletionResult(reason=reason))
            self._report(State.ERROR, reason)
            return None
        self._record(_stage(result, is_stopped=stop.is_set()), result)
        self._report(State.IDLE, None)
        return None if stop.is_set() else result

    def _record(self, stage: str, result: CompletionResult) -> None:
        if self._events is not None:
            self._events.write(stage, result)


def _stage(result: CompletionResult, *, is_stopped: bool) -> str:
    """Returns the stage at which a request ended."""
    if is_stopped:
        return "cancelled"
    if result.text:
        return "typed through" if result.is_rest else "shown"
    if result.reason == UNSURE:
        return "confidence"
    return "rules" if result.rules else "model"
