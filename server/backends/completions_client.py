"""A client of OpenAI's ``/v1/completions``: one request at a time, streamed or as a whole.

The server streams and can cancel at any moment; evaluation waits for whole answers. Neither follows
redirects or uses proxies, so text goes to the named server and nowhere else. Retries and waiting
are the caller's business.
"""

import contextlib
import http.client
import json
import os
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from server.backends.sse import InvalidEventError, read_events
from training.foundation.errors import ConfigError

_POLL_S = 0.01  # how often the stop flag is checked
_MAX_ANSWER_BYTES = 64 << 20
_MAX_ERROR_BYTES = 4096
_OK = 200


class CompletionsError(Exception):
    """What the server did instead of answering, as the end of a sentence that names it.

    ``status`` is the HTTP status; None if there was no complete answer at all.
    """

    def __init__(self, sentence: str, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


class CompletionsClient:
    """Sends requests to one server.

    Args:
        url: The server's root, or its ``/v1``.
        option: The setting or argument that named the URL, for the error message.
        key_variable: The environment variable with the key; nothing is sent if it is unset.
        timeout_s: The longest wait for the answer, or between two events.

    Raises:
        ConfigError: The URL does not start with http:// or https://.
    """

    def __init__(self, url: str, *, option: str, key_variable: str, timeout_s: float) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"{option} is '{url}'; it must start with http:// or https://")
        root = url.rstrip("/")
        self.url = f"{root if root.endswith('/v1') else root + '/v1'}/completions"
        self._key_variable = key_variable
        self._timeout_s = timeout_s

    def complete(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Posts ``body`` and returns the whole answer.

        Raises:
            CompletionsError: The server cannot be reached, refuses, or sends no JSON object.
        """
        exchange = _Exchange(self.url, body, self._headers(), self._timeout_s)
        try:
            with exchange.open() as response:
                data = response.read(_MAX_ANSWER_BYTES)
                if response.length:  # bytes that were announced and did not come
                    raise http.client.IncompleteRead(data)
        except (OSError, http.client.HTTPException) as error:
            raise CompletionsError(_describe(error)) from error
        finally:
            exchange.close()
        try:
            answer = json.loads(data)
        except ValueError as error:
            raise CompletionsError("sent an answer that is not valid JSON", _OK) from error
        if not isinstance(answer, dict):
            raise CompletionsError("sent an answer that is not a JSON object", _OK)
        return answer

    def stream(
        self, body: Mapping[str, Any], should_stop: Callable[[], bool] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Posts ``body`` and yields the answer's events; ends early if told to.

        A thread reads, so that the stop flag can be checked meanwhile. Closing the connection is
        what makes the server stop.

        Raises:
            CompletionsError: The server cannot be reached, is slower than the timeout between two
                events, refuses, or sends an invalid event.
        """
        exchange = _Exchange(self.url, body, self._headers(), self._timeout_s)
        events: queue.SimpleQueue[dict[str, Any] | CompletionsError | None] = queue.SimpleQueue()
        threading.Thread(
            target=_read_into, args=(exchange, events), name="remote", daemon=True
        ).start()
        try:
            waited_s = 0.0
            while True:
                if should_stop is not None and should_stop():
                    return
                try:
                    event = events.get(timeout=_POLL_S)
                except queue.Empty:
                    waited_s += _POLL_S
                    if waited_s > self._timeout_s:
                        message = f"did not answer within {self._timeout_s:g} s"
                        raise CompletionsError(message) from None
                    continue
                waited_s = 0.0
                if event is None:
                    return
                if isinstance(event, CompletionsError):
                    raise event
                yield event
        finally:
            exchange.close()

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        key = os.environ.get(self._key_variable)
        return {**headers, "Authorization": f"Bearer {key}"} if key else headers


class _Exchange:
    """One connection: a request and its response."""

    def __init__(
        self, url: str, body: Mapping[str, Any], headers: Mapping[str, str], timeout_s: float
    ) -> None:
        parts = urlsplit(url)
        is_secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
        # Longer than the timeout between events, so that whoever waits for one gives up first.
        self._connection = kind(parts.hostname or "", parts.port, timeout=timeout_s + 1.0)
        self._socket: socket.socket | None = None
        self._path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._data = json.dumps(body).encode()
        self._headers = headers
        self.is_closed = False

    @contextlib.contextmanager
    def open(self) -> Iterator[http.client.HTTPResponse]:
        """Sends the request; the response is good.

        Raises:
            CompletionsError: The server answered with an error.
        """
        try:
            self._connection.connect()
            self._socket = self._connection.sock
            self._connection.request("POST", self._path, self._data, dict(self._headers))
            with self._connection.getresponse() as response:
                if response.status != _OK:
                    text = response.read(_MAX_ERROR_BYTES).decode("utf-8", "replace")
                    raise CompletionsError(
                        f"answered with status {response.status}: {' '.join(text.split())[:200]}",
                        response.status,
                    )
                yield response
        finally:
            self._connection.close()

    def close(self) -> None:
        """Ends the connection, whatever another thread is doing with it."""
        self.is_closed = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it is closed already
                self._socket.shutdown(socket.SHUT_RDWR)


def _read_into(
    exchange: _Exchange, events: "queue.SimpleQueue[dict[str, Any] | CompletionsError | None]"
) -> None:
    """Puts the response's events into the queue, then None or the error that ended them."""
    try:
        with exchange.open() as response:
            for event in read_events(response):
                events.put(event)
        events.put(None)
    except CompletionsError as error:
        events.put(error)
    except InvalidEventError as error:
        events.put(CompletionsError(str(error), _OK))
    except (OSError, http.client.HTTPException, ValueError) as error:
        if not exchange.is_closed:
            events.put(CompletionsError(_describe(error)))


def _describe(error: Exception) -> str:
    return f"cannot be reached ({getattr(error, 'strerror', None) or type(error).__name__})"
