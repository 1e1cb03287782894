"""A client of OpenAI's ``/v1/completions``: one request at a time, streamed or as a whole.

The server streams and can cancel at any moment; evaluation waits for whole answers. Neither follows
redirects or uses proxies, so text and key go to the named server and nowhere else. Whatever the
server does, a request ends within a bound of time and memory, with an answer or one sentence.
Retries and waiting are the caller's business.
"""

import contextlib
import http.client
import json
import os
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from server.backends.sse import InvalidEventError, read_events
from training.foundation.errors import ConfigError, ForeignDataError
from training.foundation.foreign_text import parse_json, replace_surrogates

_POLL_S = 0.01  # how often the stop flag is checked
_MAX_ANSWER_BYTES = 16 << 20
_MAX_ERROR_BYTES = 4096
_MAX_SHOWN_CHARS = 200  # of what a server says
_OK = 200
_REDIRECTS = (301, 302, 303, 307, 308)


class CompletionsError(Exception):
    """What the server did instead of answering, as the end of a sentence that names it.

    ``status`` is the HTTP status; None if there was no complete answer at all. ``unquoted`` is the
    sentence without what the server itself says, which may repeat the request's text.
    ``is_lasting`` says that asking again will not help.
    """

    def __init__(
        self,
        sentence: str,
        status: int | None = None,
        *,
        unquoted: str | None = None,
        is_lasting: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.unquoted = sentence if unquoted is None else unquoted
        self.status = status
        self.is_lasting = is_lasting


class CompletionsClient:
    """Sends requests to one server.

    Args:
        url: The server's root, or its ``/v1``.
        option: The setting or argument that named the URL, for the error message.
        key_variable: The environment variable with the key; nothing is sent if it is unset.
        timeout_s: The longest wait for a whole answer, or between two events of a stream.

    Raises:
        ConfigError: The URL does not start with http:// or https://, or is no URL.
    """

    def __init__(self, url: str, *, option: str, key_variable: str, timeout_s: float) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"{option} is '{url}'; it must start with http:// or https://")
        if not _is_server_url(url):
            raise ConfigError(
                f"{option} is '{replace_surrogates(url)}', which is not the URL of a server alone,"
                " such as http://localhost:8000; correct it (a key goes into a variable)"
            )
        root = url.rstrip("/")
        self.url = f"{root if root.endswith('/v1') else root + '/v1'}/completions"
        self._key_variable = key_variable
        self._timeout_s = timeout_s

    def complete(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Posts ``body`` and returns the whole answer.

        Raises:
            CompletionsError: The server cannot be reached, does not answer in time, refuses, or
                sends no JSON object.
        """
        exchange = _Exchange(self.url, body, self._headers(), self._timeout_s)
        alarm = threading.Timer(self._timeout_s, exchange.close)  # also of one byte a minute
        alarm.daemon = True
        alarm.start()
        try:
            with exchange.open() as response:
                data = response.read(_MAX_ANSWER_BYTES + 1)
                if exchange.is_closed:  # by the alarm, which looks like the end of the answer
                    raise TimeoutError
                if len(data) > _MAX_ANSWER_BYTES:
                    raise CompletionsError(f"sent more than {_MAX_ANSWER_BYTES} bytes", _OK)
                if response.length:  # bytes that were announced and did not come
                    raise http.client.IncompleteRead(data)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if exchange.is_closed:
                raise CompletionsError(_describe_silence(self._timeout_s)) from error
            raise _explain(error) from error
        finally:
            alarm.cancel()
            exchange.close()
        try:
            answer = parse_json(data, allow_nan=True)
        except ForeignDataError as error:
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
                        raise CompletionsError(_describe_silence(self._timeout_s)) from None
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
        key = os.environ.get(self._key_variable, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise CompletionsError(
                f"is not asked: the variable {self._key_variable} holds characters that no key has",
                is_lasting=True,
            )
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
            if self.is_closed:  # while it was being connected: nothing may be sent any more
                raise ConnectionAbortedError
            self._connection.request("POST", self._path, self._data, dict(self._headers))
            with self._connection.getresponse() as response:
                if response.status != _OK:
                    raise _explain_refusal(response)
                yield response
        finally:
            self._connection.close()

    def close(self) -> None:
        """Ends the connection, whatever another thread is doing with it."""
        self.is_closed = True
        for connected in (self._socket, self._connection.sock):  # the latter while it is secured
            if connected is not None:
                with contextlib.suppress(OSError):  # it is closed already
                    connected.shutdown(socket.SHUT_RDWR)


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
        events.put(_quote(str(error), error.quoted, _OK))
    except (OSError, http.client.HTTPException, ValueError) as error:
        if not exchange.is_closed:
            events.put(_explain(error))


def _is_server_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, an unclosed bracket
        return False
    has_more = bool(parts.query or parts.fragment or "@" in parts.netloc)
    is_plain = url.isascii() and url.isprintable() and " " not in url
    return has_place and is_plain and not has_more


def _explain(error: Exception) -> CompletionsError:
    """Returns what went wrong before there was an answer."""
    if isinstance(error, http.client.IncompleteRead):
        return CompletionsError("broke off its answer")
    is_hang_up = isinstance(error, http.client.RemoteDisconnected)
    if isinstance(error, http.client.HTTPException) and not is_hang_up:
        return CompletionsError(
            "does not speak HTTP (a server of https:// cannot be asked as http://)", is_lasting=True
        )
    reason = getattr(error, "strerror", None) or type(error).__name__
    if isinstance(error, ssl.SSLError):
        sentence = f"cannot be reached securely ({clean_text(reason)})"
        return CompletionsError(sentence, is_lasting=True)
    return CompletionsError(f"cannot be reached ({clean_text(reason)})")


def _describe_silence(timeout_s: float) -> str:
    return f"did not answer within {timeout_s:g} s"


def _explain_refusal(response: http.client.HTTPResponse) -> CompletionsError:
    status = response.status
    if status in _REDIRECTS:
        sentence = "redirects to {}, which is not followed; name that server if you trust it"
        target = clean_text(response.headers.get("Location", "nowhere"))
        unquoted = sentence.format("another address")
        return CompletionsError(sentence.format(target), status, unquoted=unquoted)
    text = response.read(_MAX_ERROR_BYTES).decode("utf-8", "replace")
    return _quote(f"answered with status {status}", text, status)


def _quote(sentence: str, text: str, status: int) -> CompletionsError:
    """Returns an error with what the server says behind a sentence."""
    said = clean_text(text)
    whole = f"{sentence}: {said}" if said else sentence
    return CompletionsError(whole, status, unquoted=sentence)


def clean_text(text: str) -> str:
    """Returns what a server says as one short line without control characters."""
    line = " ".join(replace_surrogates(text).split())[:_MAX_SHOWN_CHARS]
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
