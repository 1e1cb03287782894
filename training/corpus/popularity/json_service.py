"""Requests to a public service that answers in JSON and limits its rate.

Waits as long as the service asks, within a bound; repeats what failed for a moment; follows
redirects within the service alone, so that a token never goes elsewhere. Called by
:mod:`training.corpus.popularity.github_stars` and
:mod:`training.corpus.popularity.package_downloads`.
"""

import email.utils
import http.client
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from email.message import Message
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import urljoin, urlsplit

from training.foundation.errors import (
    ConfigError,
    CorpusError,
    ForeignDataError,
    PrerequisiteError,
)
from training.foundation.foreign_text import parse_json

MAX_ANSWER_BYTES = 8 << 20
TIMEOUT_S = 60.0
_WAITS_S = (1.0, 5.0, 25.0)  # before a request is repeated
_LIMIT_WAIT_S = 60.0  # if the service does not say how long
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS}
_REDIRECTS = {
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
}
_MOST_REDIRECTS = 3
_MOST = 1 << 50  # stars, or downloads
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class RateLimitError(PrerequisiteError):
    """The service would have to be waited for longer than is wanted."""


class JsonService:
    """One service.

    Args:
        url: Where it is; only it is ever asked.
        max_wait_s: The longest wait for the rate limit.
        token: Sent with each request; None for none.
        wait: Waits so many seconds.

    Raises:
        ConfigError: The URL is no URL, or a token would be sent unencrypted.
    """

    def __init__(
        self,
        url: str,
        *,
        max_wait_s: float,
        token: str | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(f"{url!r} is not the URL of a service; expected https://...")
        if token and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ConfigError(
                f"{url} is not encrypted, so no token is sent there; write https://, or unset it"
            )
        self._url = url.rstrip("/")
        self._origin = (parts.scheme, parts.netloc)
        self._max_wait_s = max_wait_s
        self._token = token
        self._wait = wait
        self._opener = urllib.request.build_opener(_NoRedirect)

    @property
    def has_token(self) -> bool:
        """Whether requests are authorised."""
        return bool(self._token)

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Returns the answer to a request, or None if there is no such thing.

        Args:
            path: What follows the service's URL, quoted.
            body: Sent as JSON by POST; None for GET.

        Raises:
            RateLimitError: The service wants too long a pause; what was asked so far is kept.
            CorpusError: It cannot be reached, refuses, or answers with something else.
        """
        url, n_failures, n_redirects = f"{self._url}{path}", 0, 0
        while True:
            status, headers, content = self._send(url, body)
            if status == HTTPStatus.OK:
                return self._parse(content)
            if status in _GONE:
                return None
            if status in _REDIRECTS and n_redirects < _MOST_REDIRECTS:
                url, n_redirects = self._follow(url, headers), n_redirects + 1
            elif is_limited(status, headers):
                self._wait_for_limit(headers)
            elif (status == 0 or status >= HTTPStatus.INTERNAL_SERVER_ERROR) and n_failures < len(
                _WAITS_S
            ):
                self._wait(_WAITS_S[n_failures])
                n_failures += 1
            else:
                self._refuse(status)

    def _send(self, url: str, body: Mapping[str, Any] | None) -> tuple[int, Message, bytes]:
        """Returns status, headers and content; status 0 if there was no answer."""
        headers = {"Accept": "application/json", "User-Agent": "parrotlet"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(url, data, headers)  # noqa: S310 - checked in __init__
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                content = answer.read(MAX_ANSWER_BYTES + 1)
                return answer.status, answer.headers, content
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, b""
        except (OSError, http.client.HTTPException, ValueError):
            return 0, Message(), b""

    def _parse(self, content: bytes) -> Any:
        try:
            return parse_json(content, max_bytes=MAX_ANSWER_BYTES)
        except ForeignDataError as error:
            raise CorpusError(
                f"{self._url} answers with something else than JSON ({error}); correct its URL"
            ) from error

    def _follow(self, url: str, headers: Message) -> str:
        target = urljoin(url, headers.get("Location") or "")
        parts = urlsplit(target)
        if (parts.scheme, parts.netloc) != self._origin:
            raise CorpusError(
                f"{self._url} redirects elsewhere, which is not followed; correct its URL"
            )
        return target

    def _wait_for_limit(self, headers: Message) -> None:
        seconds = find_wait(headers, time.time())
        if seconds > self._max_wait_s:
            raise RateLimitError(
                f"{self._url} allows no more requests for {seconds / 60:.0f} minutes; run the same"
                " command again then to resume, raise --max-wait, or set GITHUB_TOKEN"
            )
        sys.stderr.write(f"{self._url} limits the rate: waiting {seconds:.0f} s\n")
        self._wait(seconds)

    def _refuse(self, status: int) -> NoReturn:
        what = f"answers with status {status}" if status else "cannot be reached"
        raise CorpusError(
            f"{self._url} {what}; check the network, its URL and GITHUB_TOKEN, and run the same"
            " command again to resume"
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to the caller."""

    def redirect_request(self, *_: Any) -> None:
        return None


def is_limited(status: int, headers: Message) -> bool:
    """Returns whether a refusal is that of a rate limit."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    is_spent = headers.get("X-RateLimit-Remaining") == "0" or bool(headers.get("Retry-After"))
    return status == HTTPStatus.FORBIDDEN and is_spent


def find_wait(headers: Message, now: float) -> float:
    """Returns how many seconds the service asks to wait, at least one."""
    after, reset = headers.get("Retry-After") or "", headers.get("X-RateLimit-Reset") or ""
    if after.isdecimal():
        seconds = float(after[:9])
    elif after:
        moment = email.utils.parsedate_tz(after)
        seconds = email.utils.mktime_tz(moment) - now if moment else _LIMIT_WAIT_S
    elif reset.isdecimal() and headers.get("X-RateLimit-Remaining") == "0":
        seconds = float(reset[:12]) - now
    else:
        seconds = _LIMIT_WAIT_S
    return max(1.0, seconds)


def read_count(value: object) -> float | None:
    """Returns a plausible count, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value <= _MOST else None
