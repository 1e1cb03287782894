"""The worker: ``python -m server.worker``, started by :mod:`server.worker.host` alone.

Reads frames from stdin and answers on stdout. One thread reads, so that a request can be called
off while it runs; the main thread does one request after the other. It ends when its stdin does.
"""

import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, BinaryIO

from server.backends.backend import WriterAwayError
from server.completer import Completer
from server.settings import Settings
from server.suggestion.explanation import NO_MODEL, SUPERSEDED
from server.suggestion.request import CompletionResult
from server.worker.debounce import Debounce
from server.worker.frames import BrokenStreamError, read_frame, write_frame
from server.worker.messages import EXPECTS_MODEL, Known, request_from_json, result_to_json
from training.foundation.config_schema import from_mapping
from training.foundation.errors import ParrotletError

_FINISHED = None  # in the queue: no more will come

_log = logging.getLogger(__package__)


class Worker:
    """Answers what comes on one stream on another."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source = source
        self._sink = sink
        self._sink_lock = threading.Lock()
        self._waiting: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._stops: dict[int, threading.Event] = {}
        self._known = Known()
        self._debounce = Debounce()
        self._completer: Completer | None = None
        self._share_told = -1

    def run(self, *, expects_model: bool = False) -> None:
        """Works until the source ends.

        Args:
            expects_model: Most of the time until a model is ready goes into imports: these begin
                while the editor and the server still greet each other.
        """
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        if expects_model:
            from server.backends import local_model  # noqa: F401, PLC0415 - imported ahead of use
        while True:
            message = self._waiting.get()
            if message is _FINISHED:
                return
            try:
                self._do(message)
            except BrokenStreamError:
                return

    def _read(self) -> None:
        """Queues what comes; calls requests off at once."""
        try:
            while (message := read_frame(self._source)) is not None:
                if "cancel" in message:
                    stop = self._stops.get(message["cancel"])
                    if stop is not None:
                        stop.set()
                    continue
                if "request" in message:
                    self._stops[message["id"]] = threading.Event()
                self._waiting.put(message)
        except BrokenStreamError as error:
            _log.error("received a broken message from the server: %s", error)
        for stop in list(self._stops.values()):
            stop.set()
        self._waiting.put(_FINISHED)

    def _do(self, message: Mapping[str, Any]) -> None:
        if "load" in message:
            self._load(message["load"])
        elif "settings" in message and self._completer is not None:
            self._completer.settings = _settings(message["settings"])
        elif "known" in message:
            self._known = Known(
                context_text=message["known"]["context"], names=frozenset(message["known"]["names"])
            )
        elif "health" in message:
            about = {} if self._completer is None else self._completer.about()
            self._answer({"id": message["health"], "health": about})
        elif "request" in message:
            self._answer(self._completed(message))

    def _load(self, values: Mapping[str, Any]) -> None:
        started = time.perf_counter()
        try:
            self._completer = Completer.load(settings=_settings(values), told=self._tell_fetched)
            self._completer.warm_up()
        except ParrotletError as error:
            self._answer({"error": str(error)})
        except Exception as error:  # noqa: BLE001 - told to the server, which tells the user
            _log.exception("cannot load the model")
            kind = type(error).__name__
            self._answer({"error": f"cannot load the model ({kind}); see the log for details"})
        else:
            self._answer({"ready": round(time.perf_counter() - started, 3)})

    def _tell_fetched(self, done: int, total: int) -> None:
        """Tells how a download goes, at each hundredth."""
        share = 100 * done // total
        if share != self._share_told:
            self._share_told = share
            self._answer({"fetched": [done, total]})

    def _completed(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Returns a request's answer."""
        number = message["id"]
        stop = self._stops[number]
        try:
            result = self._complete(message["request"], message["quiet_s"], stop)
        except WriterAwayError as error:
            return {"id": number, "away": str(error), "is_new": error.is_new}
        except Exception as error:  # noqa: BLE001 - one request may fail, the next may not
            _log.exception("a request failed")
            return {"id": number, "failed": type(error).__name__}
        finally:
            del self._stops[number]
        return {"id": number, "result": result_to_json(result), "is_stopped": stop.is_set()}

    def _complete(
        self, values: Mapping[str, Any], quiet_s: float, stop: threading.Event
    ) -> CompletionResult:
        if self._completer is None:
            return CompletionResult(reason=NO_MODEL)
        if stop.is_set():
            return CompletionResult(reason=SUPERSEDED)
        request = request_from_json(values, self._known)
        if not (request.is_asked_for or self._completer.is_typed_through(request)):
            most_ms = self._completer.settings.suggestion.max_debounce_ms
            if stop.wait(self._debounce.seconds(most_ms=most_ms, quiet_s=quiet_s)):
                return CompletionResult(reason=SUPERSEDED)
        result = self._completer.complete(request, stop.is_set)
        if not result.is_rest and not stop.is_set():
            self._debounce.took(result.total_ms)
        return result

    def _answer(self, message: Mapping[str, Any]) -> None:
        with self._sink_lock:
            write_frame(self._sink, message)


def _settings(values: Mapping[str, Any]) -> Settings:
    return from_mapping(Settings, values, where="the server")


def main() -> int:
    """Works for the server that started it, which alone decides when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(
        stream=sys.stderr,
        level=os.environ.get("PARROTLET_LOG_LEVEL", "WARNING"),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything prints goes to the log
    Worker(sys.stdin.buffer, sink).run(expects_model=EXPECTS_MODEL in sys.argv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
