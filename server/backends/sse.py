"""One request with a streamed answer, which can be called off at any moment.

Server-sent events over HTTP/1.1, as OpenAI's ``/v1/completions`` streams them. A thread reads, so
that who waits can look at a stop flag; closing the connection is what tells the server to stop.
"""

import contextlib
import http.client
import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

_LOOK_S = 0.01  # at the stop flag
_MOST_LINE_BYTES = 1 << 20
_MOST_ERROR_BYTES = 4096
_OK = 200


class RemoteError(Exception):
    """What a server did instead of an answer, without its name; ``status`` is that of HTTP."""

    def __init__(self, sentence: str, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


def streamed(
    url: str,
    body: Mapping[str, Any],
    headers: Mapping[str, str],
    *,
    timeout_s: float,
    should_stop: Callable[[], bool] | None,
) -> Iterator[dict[str, Any]]:
    """Posts ``body`` and yields the answer's events; ends early when told to stop.

    Raises:
        RemoteError: The server is away, slower than ``timeout_s`` between two events, refuses, or
            says what is no event.
    """
    exchange = _Exchange(url, body, headers, timeout_s)
    try:
        waited_s = 0.0
        while True:
            if should_stop is not None and should_stop():
                return
            try:
                event = exchange.events.get(timeout=_LOOK_S)
            except queue.Empty:
                waited_s += _LOOK_S
                if waited_s > timeout_s:
                    raise RemoteError(f"did not answer within {timeout_s:g} s") from None
                continue
            waited_s = 0.0
            if event is None:
                return
            if isinstance(event, RemoteError):
                raise event
            yield event
    finally:
        exchange.close()


class _Exchange:
    """A connection and the thread that reads from it."""

    def __init__(
        self, url: str, body: Mapping[str, Any], headers: Mapping[str, str], timeout_s: float
    ) -> None:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        # Whoever waits gives up before the socket does.
        self._connection = kind(parts.hostname or "", parts.port, timeout=timeout_s + 1.0)
        self._socket: socket.socket | None = None
        self._path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._data = json.dumps(body).encode()
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            **headers,
        }
        self._is_closed = False
        self.events: queue.SimpleQueue[dict[str, Any] | RemoteError | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="remote", daemon=True).start()

    def close(self) -> None:
        """Ends the connection, whatever it is doing."""
        self._is_closed = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it was closed already
                self._socket.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            self._exchange()
        except RemoteError as error:
            self.events.put(error)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not self._is_closed:
                said = getattr(error, "strerror", None) or type(error).__name__
                self.events.put(RemoteError(f"cannot be reached ({said})"))
        finally:
            self._connection.close()

    def _exchange(self) -> None:
        self._connection.connect()
        self._socket = self._connection.sock
        self._connection.request("POST", self._path, self._data, self._headers)
        with self._connection.getresponse() as response:
            self._read(response)
        self.events.put(None)

    def _read(self, response: http.client.HTTPResponse) -> None:
        if response.status != _OK:
            said = response.read(_MOST_ERROR_BYTES).decode("utf-8", "replace")
            raise RemoteError(
                f"answered with status {response.status}: {' '.join(said.split())[:200]}",
                response.status,
            )
        while line := response.readline(_MOST_LINE_BYTES):
            field, _, value = line.strip().partition(b":")
            if field != b"data":
                continue
            if value.strip() == b"[DONE]":
                break
            event = json.loads(value)
            if not isinstance(event, dict):
                raise RemoteError("sent an event that is not a JSON object")
            if "error" in event:
                raise RemoteError(f"reported an error: {str(event['error'])[:200]}")
            self.events.put(event)
