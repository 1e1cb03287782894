"""The client of /v1/completions, against a socket that says whatever a test wants."""

import contextlib
import io
import json
import re
import socket
import threading
import time

import pytest

from server.backends.completions_client import CompletionsClient, CompletionsError
from server.backends.sse import InvalidEventError, read_events
from training.foundation.errors import ConfigError

HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


def read_request(connection):
    """Reads all of a request: a socket closed with unread bytes resets the connection."""
    with connection.makefile("rb") as stream:
        head = b"".join(iter(stream.readline, b"\r\n"))
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])
        return head + b"\r\n" + stream.read(length)


@contextlib.contextmanager
def saying(*pieces, pause_s=0.0):
    """Serves one connection; yields its URL and what was received."""
    listener = socket.create_server(("127.0.0.1", 0))
    received = []

    def serve():
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            received.append(read_request(connection))
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause_s)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", received
    finally:
        thread.join()
        listener.close()


def client_of(url, timeout_s=5.0):
    return CompletionsClient(url, option="--url", key_variable="A_TESTS_KEY", timeout_s=timeout_s)


@pytest.mark.parametrize("url", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"])
def test_the_root_and_its_v1_name_the_same_server(url):
    assert client_of(url).url == "http://h:1/v1/completions"


def test_another_scheme_is_refused_by_the_name_of_the_option():
    with pytest.raises(ConfigError, match=r"--url is 'file:///etc'; it must start with http://"):
        client_of("file:///etc")


def test_a_whole_answer_is_returned_and_the_key_is_sent(monkeypatch):
    monkeypatch.setenv("A_TESTS_KEY", "secret")
    with saying(HEAD, b'{"choices": []}') as (url, received):
        assert client_of(url).complete({"prompt": "é"}) == {"choices": []}
    head, body = received[0].split(b"\r\n\r\n")
    assert b"Authorization: Bearer secret" in head
    assert json.loads(body) == {"prompt": "é"}


def test_without_a_key_nothing_is_sent(monkeypatch):
    monkeypatch.delenv("A_TESTS_KEY", raising=False)
    with saying(HEAD, b"{}") as (url, received):
        client_of(url).complete({})
    assert b"Authorization" not in received[0]


@pytest.mark.parametrize(
    ("pieces", "status", "sentence"),
    [
        ((b"HTTP/1.1 404 No\r\n\r\nno  such\nmodel",), 404, "status 404: no such model"),
        ((HEAD, b"<html>"), 200, "not valid JSON"),
        ((HEAD, b"[]"), 200, "not a JSON object"),
        ((HEAD, b"\xff"), 200, "not valid JSON"),
        ((b"not HTTP\r\n\r\n",), None, "cannot be reached"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",), None, "cannot be reached"),
        ((), None, "cannot be reached"),
    ],
)
def test_whatever_is_no_answer_is_one_error(pieces, status, sentence):
    """If it fails, an odd server ends a run with a traceback, or is asked again for ever."""
    with saying(*pieces) as (url, _), pytest.raises(CompletionsError, match=sentence) as caught:
        client_of(url).complete({})
    assert caught.value.status == status


def test_events_arrive_one_by_one():
    """If it fails, ghost text waits until the server has generated everything."""
    events = [b'data: {"n": 1}\r\n\r\n', b": still here\n\n", b'data: {"n": 2}\n\ndata: [DONE]\n']
    with saying(HEAD, *events, pause_s=0.05) as (url, _):
        arrivals = [(event["n"], time.monotonic()) for event in client_of(url).stream({})]
    assert [number for number, _ in arrivals] == [1, 2]
    assert arrivals[1][1] - arrivals[0][1] > 0.05


def test_a_server_that_pauses_too_long_is_given_up():
    with saying(HEAD + b'data: {"n": 1}\n\n', pause_s=1.0) as (url, _):
        stream = client_of(url, timeout_s=0.5).stream({})
        assert next(stream) == {"n": 1}
        with pytest.raises(CompletionsError, match=r"did not answer within 0\.5 s"):
            next(stream)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"data: {\n\n", "not valid JSON"),
        (b"data: 1\n\n", "not a JSON object"),
        (b'data: {"error": {"message": "full"}}\n\n', "reported an error: .*full"),
    ],
)
def test_an_invalid_event_is_an_error(text, sentence):
    with pytest.raises(InvalidEventError, match=sentence):
        list(read_events(io.BytesIO(b'data: {"n": 1}\n\n' + text)))


def test_what_follows_the_end_is_not_read():
    stream = io.BytesIO(b'event: x\nid: 7\ndata:{"n": 1}\n\ndata: [DONE]\ndata: {\n')
    assert list(read_events(stream)) == [{"n": 1}]
    assert stream.read() == b"data: {\n"
