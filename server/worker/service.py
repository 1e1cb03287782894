"""The completer in a process of its own, for an event loop that must never wait.

It has the model loaded after the protocol's handshake, lets a newer request for a document take the
place of an older one, computes ahead, reports its state, and starts the worker again when it is
gone. It knows no protocol; ``lsp`` is its caller, which sets ``report``: told each new state with a
reason, from any thread.
"""

import dataclasses
import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from server.backends.model_store import absolute, located
from server.settings import Settings
from server.suggestion.confidence import UNSURE, needed_confidence
from server.suggestion.explanation import FAILED, NO_MODEL, WITHHELD, explained
from server.suggestion.request import CompletionRequest, CompletionResult
from server.worker.events import EventLog
from server.worker.host import WorkerProcess
from server.worker.messages import Known, request_to_json, result_from_json
from training.foundation.config_schema import to_mapping

_MOST_DEATHS = 3  # within so many seconds; after them the worker stays away
_DEATHS_S = 60.0
_PIECE_CHARS = 1 << 16  # of a document too long to be sent whole; it is cut where a piece begins
_PIECES = 8

_log = logging.getLogger(__name__)


class State(StrEnum):
    """What the service is doing, as its clients show it."""

    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    IDLE = "idle"
    OFF = "off"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A request under way: wait for ``future``, whose result is None if nothing came of it."""

    number: int
    request: CompletionRequest
    future: Future[CompletionResult | None]

    @property
    def is_lost(self) -> bool:
        """Whether it has ended without a result."""
        return self.future.done() and self.future.result() is None


class CompletionService:
    """Owns the worker."""

    def __init__(self) -> None:
        """Starts nothing yet."""
        self.report: Callable[[State, str | None], None] = lambda _state, _reason: None
        self._settings = Settings()
        self._known = Known()
        self._worker: WorkerProcess | None = None
        self._events: EventLog | None = None
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._running: dict[int, Ticket] = {}
        self._newest: dict[str, Ticket] = {}  # of each document
        self._asked_health: dict[int, Future[dict[str, Any]]] = {}
        self._deaths: list[float] = []
        self._is_started = False
        self._is_closing = False
        self._has_writer = True  # or may have one soon
        self.state = State.STARTING
        self.reason: str | None = None

    def prepare(self) -> None:
        """Starts the worker before anybody has said which model it is to load."""
        self._worker = WorkerProcess(self._heard, self._ended, expects_model=True)

    def start(self, settings: Settings) -> None:
        """Begins to load the model; requests made from now on wait for it."""
        self._is_started = True
        self._settings = settings
        self._events = EventLog.at(settings.event_log)
        if settings.remote.url:  # what was prepared for a model here only takes memory
            self._end_worker()
        self._start_worker(None)

    def change(self, settings: Settings) -> None:
        """Takes other settings; the model is loaded again if they are about the model."""
        before, self._settings = self._settings, settings
        if settings.event_log != before.event_log:
            if self._events is not None:
                self._events.close()
            self._events = EventLog.at(settings.event_log)
        with self._lock:
            self._newest.clear()  # what was made by other settings
        is_same = _of_the_model(settings) == _of_the_model(before)
        if is_same and self._worker is not None:
            self._worker.send({"settings": to_mapping(_located(settings))})
        else:
            self.restart()

    def restart(self) -> None:
        """Ends the worker and starts another."""
        self._deaths.clear()
        self._end_worker()
        self._give_up_all()
        self._start_worker(None)

    def tell(self, known: Known) -> None:
        """Tells what is known of other files, for requests from now on."""
        if known == self._known:
            return
        self._known = known
        if self._worker is not None:
            self._worker.send(_known_message(known))

    def submit(self, request: CompletionRequest, *, quiet_s: float = 0.0) -> Ticket:
        """Sends a request, in place of an older one for the same document.

        One that is under way for the very same place, because it was computed ahead, is taken.

        Args:
            request: What is asked.
            quiet_s: How long its document has not been changed: an editor may have waited for the
                next key already.
        """
        ahead = self._newest.get(request.document)
        if ahead is not None and ahead.request == request and not ahead.is_lost:
            return ahead
        self.supersede(request.document)
        ticket = Ticket(number=next(self._numbers), request=request, future=Future())
        with self._lock:
            worker = self._worker if self._has_writer else None
            if worker is None:
                self._record(
                    "model", CompletionResult(reason=NO_MODEL), is_asked_for=request.is_asked_for
                )
                ticket.future.set_result(None)
                return ticket
            self._running[ticket.number] = ticket
            self._newest[request.document] = ticket
        if self.state in {State.READY, State.IDLE}:
            self.tell_state(State.BUSY)
        asked = request_to_json(_shortened(request))
        worker.send({"id": ticket.number, "request": asked, "quiet_s": quiet_s})
        return ticket

    def supersede(self, document: str) -> None:
        """Stops the request under way for a document, whose answer would be stale."""
        with self._lock:
            ticket = self._newest.pop(document, None)
        if ticket is not None:
            self.cancel(ticket)

    def cancel(self, ticket: Ticket) -> None:
        """Stops a request, and answers it at once with nothing."""
        with self._lock:
            if self._newest.get(ticket.request.document) is ticket:
                del self._newest[ticket.request.document]
        if _resolve(ticket, None) and self._worker is not None:
            self._worker.send({"cancel": ticket.number})

    def withhold(self, reason: str, *, is_asked_for: bool) -> None:
        """Takes down that a request is answered with nothing, without asking the model."""
        self._record(WITHHELD, CompletionResult(reason=reason), is_asked_for=is_asked_for)

    def explain(self) -> dict[str, object] | None:
        """Returns how the last request ended, and why; None before the first."""
        last = None if self._events is None else self._events.last
        return None if last is None else {**last, **explained(last)}

    def health(self) -> Future[dict[str, Any]]:
        """Asks how the worker is; its answer is empty while there is none."""
        asked: Future[dict[str, Any]] = Future()
        worker = self._worker
        if worker is None or self.state is State.STARTING or not self._has_writer:
            asked.set_result({})
            return asked
        number = next(self._numbers)
        with self._lock:
            self._asked_health[number] = asked
        worker.send({"health": number})
        return asked

    def close(self) -> None:
        """Stops everything and ends the worker."""
        self._is_closing = True
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()
        self._give_up_all()
        if self._events is not None:
            self._events.close()

    @property
    def worker_pid(self) -> int | None:
        """The worker's process, if there is one."""
        return None if self._worker is None else self._worker.pid

    def _start_worker(self, reason: str | None) -> None:
        with self._lock:  # a request made once this is told must find the worker
            self.tell_state(State.STARTING, reason)
            self._has_writer = True
            self._worker = self._worker or WorkerProcess(self._heard, self._ended)
            self._worker.send({"load": to_mapping(_located(self._settings))})
            if self._known != Known():
                self._worker.send(_known_message(self._known))

    def _end_worker(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            threading.Thread(target=worker.close, name="worker's end").start()

    def _heard(self, message: Mapping[str, Any]) -> None:
        if "ready" in message:
            _log.info("ready after %.1f s", message["ready"])
            self.tell_state(State.READY)
        elif "fetched" in message:
            done, total = message["fetched"]
            share = f"{100 * done // total}%"
            self.tell_state(State.STARTING, f"downloading {self._settings.model}: {share}")
        elif "error" in message:
            _log.error("%s", message["error"])
            self._has_writer = False
            self.tell_state(State.ERROR, message["error"])
            self._give_up_all()
        elif "health" in message:
            with self._lock:
                asked = self._asked_health.pop(message["id"], None)
            if asked is not None:
                asked.set_result(dict(message["health"]))
        else:
            self._answered(message)

    def _answered(self, message: Mapping[str, Any]) -> None:
        with self._lock:
            ticket = self._running.pop(message["id"], None)
            is_last = not self._running
        if ticket is None:
            return
        if "result" not in message:
            self._failed(message, ticket)
            return
        result, is_stopped = result_from_json(message["result"]), bool(message["is_stopped"])
        self._record(
            _stage(result, is_stopped=is_stopped), result, is_asked_for=ticket.request.is_asked_for
        )
        if is_last and (self.state is State.BUSY or result.first_token_ms is not None):
            self.tell_state(State.IDLE)
        _resolve(ticket, None if is_stopped else result)

    def _failed(self, message: Mapping[str, Any], ticket: Ticket) -> None:
        """Takes down a request that failed here, or whose remote server is away."""
        if "away" in message:
            reason = message["away"]
            if message["is_new"]:
                self.tell_state(State.ERROR, reason)
        else:
            reason = f"a request failed ({message['failed']}); see the log"
            self.tell_state(State.ERROR, reason)
            self.tell_state(State.IDLE)  # the next may not
        self._record(
            FAILED, CompletionResult(reason=reason), is_asked_for=ticket.request.is_asked_for
        )
        _resolve(ticket, None)

    def _ended(self, how: str) -> None:
        """Starts another worker, unless too many have died."""
        if self._is_closing:
            return
        what = f"the model's process {how}"
        _log.error("%s", what)
        self._worker = None
        if not self._is_started:
            return
        self._give_up_all(what)
        now = time.monotonic()
        self._deaths = [at for at in self._deaths if now - at < _DEATHS_S] + [now]
        if len(self._deaths) > _MOST_DEATHS:
            n_times = len(self._deaths)
            self.tell_state(State.ERROR, f"{what} {n_times} times; see the log, then restart it")
        else:
            self._start_worker(f"{what}; restarting")

    def _give_up_all(self, reason: str | None = None) -> None:
        """Answers all that wait with nothing; a reason is taken down."""
        with self._lock:
            tickets, self._running = list(self._running.values()), {}
            asked, self._asked_health = list(self._asked_health.values()), {}
            self._newest.clear()
        for ticket in tickets:
            if reason is not None:
                self._record(
                    FAILED,
                    CompletionResult(reason=reason),
                    is_asked_for=ticket.request.is_asked_for,
                )
            _resolve(ticket, None)
        for future in asked:
            future.set_result({})

    def _record(self, stage: str, result: CompletionResult, *, is_asked_for: bool) -> None:
        if self._events is not None:
            eagerness = self._settings.suggestion.eagerness
            needed = needed_confidence(eagerness, is_asked_for=is_asked_for)
            self._events.write(stage, result, eagerness=eagerness, needed_confidence=needed)

    def tell_state(self, state: State, reason: str | None = None) -> None:
        """Takes a state and tells it."""
        self.state, self.reason = state, reason
        self.report(state, reason)


def _resolve(ticket: Ticket, result: CompletionResult | None) -> bool:
    """Answers a request; says whether nobody had before."""
    try:
        ticket.future.set_result(result)
    except InvalidStateError:
        return False
    return True


def _of_the_model(settings: Settings) -> tuple[object, ...]:
    """Returns the settings that a running worker cannot take."""
    return settings.model, settings.engine, settings.remote


def _located(settings: Settings) -> Settings:
    """Returns settings whose paths hold in the worker's folder too."""
    tokenizer = settings.remote.tokenizer
    remote = dataclasses.replace(settings.remote, tokenizer=tokenizer and absolute(tokenizer))
    return dataclasses.replace(settings, model=located(settings.model), remote=remote)


def _known_message(known: Known) -> dict[str, Any]:
    return {"known": {"context": known.context_text, "names": sorted(known.names)}}


def _shortened(request: CompletionRequest) -> CompletionRequest:
    """Returns a request with the part of a very long document that can matter."""
    half = _PIECE_CHARS * _PIECES
    if len(request.text) <= 2 * half:
        return request
    start = max(0, request.offset - half) // _PIECE_CHARS * _PIECE_CHARS
    if start:  # at a line's beginning, if one is near
        newline = request.text.find("\n", start, start + _PIECE_CHARS)
        start = newline + 1 if newline >= 0 else start
    text = request.text[start : request.offset + half]
    return dataclasses.replace(request, text=text, offset=request.offset - start)


def _stage(result: CompletionResult, *, is_stopped: bool) -> str:
    """Returns the stage at which a request ended."""
    if is_stopped:
        return "cancelled"
    if result.text:
        return "typed through" if result.is_rest else "shown"
    if result.reason == UNSURE:
        return "confidence"
    return "rules" if result.rules else "model"
