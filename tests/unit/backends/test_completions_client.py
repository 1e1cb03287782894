"""The client of /v1/completions, against a socket that says whatever a test wants."""

import contextlib
import http.client
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
    """Serves one connection; yields its URL and what was received. Ends with its context."""
    listener = socket.create_server(("127.0.0.1", 0))
    received, is_over = [], threading.Event()

    def serve():
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            received.append(read_request(connection))
            for piece in pieces:
                connection.sendall(piece)
                if is_over.wait(pause_s):
                    return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", received
    finally:
        is_over.set()
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


def test_nothing_is_posted_once_a_request_is_cancelled(monkeypatch):
    """If it fails, text is sent to the server after the editor has withdrawn it."""
    may_connect, is_over = threading.Event(), threading.Event()
    connect = socket.create_connection

    def connect_late(*arguments, **options):
        may_connect.wait(10)
        return connect(*arguments, **options)

    close = http.client.HTTPConnection.close
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setattr(socket, "create_connection", connect_late)
        monkeypatch.setattr(
            http.client.HTTPConnection, "close", lambda self: (close(self), is_over.set())
        )
        assert list(client_of(url).stream({"prompt": "withdrawn"}, lambda: True)) == []
        may_connect.set()
        assert is_over.wait(10)
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(100) == b""


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
        ((b"not HTTP\r\n\r\n",), None, "does not speak HTTP"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",), None, "broke off its answer"),
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
    with saying(HEAD, *events, pause_s=0.2) as (url, _):
        arrivals = [(event["n"], time.monotonic()) for event in client_of(url).stream({})]
    assert [number for number, _ in arrivals] == [1, 2]
    assert arrivals[1][1] - arrivals[0][1] > 0.05


def test_a_server_that_pauses_too_long_is_given_up():
    with saying(HEAD + b'data: {"n": 1}\n\n', pause_s=20.0) as (url, _):
        stream = client_of(url, timeout_s=0.5).stream({})
        assert next(stream) == {"n": 1}
        with pytest.raises(CompletionsError, match=r"did not answer within 0\.5 s"):
            next(stream)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"data: {\n\n", "not valid JSON"),
        (b"data: 1\n\n", "not a JSON object"),
        (b'data: {"error": {"message": "full"}}\n\n', "reported an error"),
    ],
)
def test_an_invalid_event_is_an_error(text, sentence):
    with pytest.raises(InvalidEventError, match=sentence):
        list(read_events(io.BytesIO(b'data: {"n": 1}\n\n' + text)))


def test_what_follows_the_end_is_not_read():
    stream = io.BytesIO(b'event: x\nid: 7\ndata:{"n": 1}\n\ndata: [DONE]\ndata: {\n')
    assert list(read_events(stream)) == [{"n": 1}]
    assert stream.read() == b"data: {\n"


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://:8000",
        "http://h:99999",
        "http://h:x",
        "http://h:0",
        "http://[::1",
        "http://h/\r\nHost: other",
        "http://h b",
        "http://hé",
        "http://h/\udcff",
        "http://user:password@h",
        "http://h/?key=1",
        "http://h/#v1",
    ],
)
def test_what_is_no_url_of_a_server_is_refused(url):
    """If it fails, a mistyped URL ends a command in a traceback, or is asked for something else."""
    with pytest.raises(ConfigError, match="not the URL of a server alone"):
        client_of(url)


@pytest.mark.parametrize("key", ["a\nb", "ключ", "k\udcff", "\x1b[31m"])
def test_a_key_that_cannot_be_sent_is_named_and_not_shown(monkeypatch, key):
    monkeypatch.setenv("A_TESTS_KEY", key)
    with pytest.raises(CompletionsError, match="A_TESTS_KEY holds characters") as caught:
        client_of("http://localhost:1").complete({})
    assert caught.value.is_lasting
    assert key not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_named_and_not_followed(monkeypatch, status):
    """If it fails, the key and the text go to whatever server an answer names."""
    monkeypatch.setenv("A_TESTS_KEY", "secret")
    elsewhere = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{elsewhere.getsockname()[1]}"
    head = f"HTTP/1.1 {status} Moved\r\nLocation: {address}/v1\r\nContent-Length: 0\r\n\r\n"
    with (
        saying(head.encode()) as (url, received),
        pytest.raises(CompletionsError, match=f"redirects to {address}") as caught,
    ):
        client_of(url).complete({})
    assert caught.value.status == status
    assert b"Authorization: Bearer secret" in received[0]
    elsewhere.settimeout(0.05)
    with elsewhere, pytest.raises(TimeoutError):
        elsewhere.accept()


LASTING = [
    (b"SSH-2.0-OpenSSH_9.2p1\r\n",),
    (b"\x15\x03\x01\x00\x02\x02\x46",),
    (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n{}",),
    (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n{}",),
    (b"HTTP/1.1 abc OK\r\n\r\n",),
    (b"HTTP/9.9 200 OK\r\n\r\n",),
]


@pytest.mark.parametrize("pieces", LASTING)
def test_what_speaks_no_http_is_not_asked_again(pieces):
    with saying(*pieces) as (url, _), pytest.raises(CompletionsError, match="HTTP") as caught:
        client_of(url).complete({})
    assert caught.value.is_lasting


def test_a_server_without_tls_is_not_asked_again():
    with saying_at_once(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        secure = url.replace("http:", "https:")
        with pytest.raises(CompletionsError, match="cannot be reached securely") as caught:
            client_of(secure).complete({})
    assert caught.value.is_lasting


@contextlib.contextmanager
def saying_at_once(data):
    """Serves one connection without reading from it first."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(data)
            connection.recv(65_536)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join()
        listener.close()


DRIPS = {  # what a server goes on to send, for ever
    "nothing": [b""],
    "an answer": [HEAD, b"x"],
    "spaces": [HEAD, b" "],
    "headers": [b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"],
    "a header": [b"HTTP/1.1 200 OK\r\nX: ", b"y"],
    "continue": [b"HTTP/1.1 100 Continue\r\n\r\n"],
    "chunks": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"],
    "chunk lengths": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"],
    "an error": [b"HTTP/1.1 500 No\r\n\r\n", b"x"],
}


@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_an_answer_that_never_ends_is_given_up(drip):
    """If it fails, a byte a minute keeps a run waiting for ever."""
    first, more = drip[0], drip[-1]
    with saying(first, *[more] * 1500, pause_s=0.02) as (url, _):
        started = time.monotonic()
        with pytest.raises(CompletionsError) as caught:
            client_of(url, timeout_s=0.3).complete({})
        assert time.monotonic() - started < 15  # half of what is sent
    assert "did not answer within 0.3 s" in str(caught.value) or "status 500" in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"9" * 5000,
        b"\xff\xfe\x00garbage",
        b"",
        b"null",
        b'{"choices": ',
    ],
)
def test_odd_json_is_one_error(body):
    with saying(HEAD, body) as (url, _), pytest.raises(CompletionsError, match="not") as caught:
        client_of(url).complete({})
    assert caught.value.status == 200


def test_an_answer_has_a_limit_and_is_well_formed(monkeypatch):
    with saying(HEAD, b'{"text": "\\ud83d"}') as (url, _):
        assert client_of(url).complete({}) == {"text": "\N{REPLACEMENT CHARACTER}"}
    monkeypatch.setattr("server.backends.completions_client._MAX_ANSWER_BYTES", 1000)
    with (
        saying(HEAD, b" " * 2000 + b"{}") as (url, _),
        pytest.raises(CompletionsError, match="sent more than 1000 bytes"),
    ):
        client_of(url).complete({})


def test_what_a_server_says_is_one_line_without_control_characters():
    """If it fails, a server's answer changes the user's terminal."""
    answer = b"HTTP/1.1 404 No\r\n\r\n\x1b[31mno\x00 such\r\n\tmodel\x07" + b"!" * 500
    with saying(answer) as (url, _), pytest.raises(CompletionsError) as caught:
        client_of(url).complete({})
    assert str(caught.value).isprintable()
    assert "no\N{REPLACEMENT CHARACTER} such model" in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("value", [b"[" * 100_000, b"9" * 5000, b"\xff"])
def test_an_odd_event_is_an_error_and_not_a_silence(value):
    with pytest.raises(InvalidEventError, match="not valid JSON"):
        list(read_events(io.BytesIO(b"data: " + value + b"\n\n")))
