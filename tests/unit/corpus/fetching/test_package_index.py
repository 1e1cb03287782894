"""Indexes and caches that fail: each is one sentence, and tells the disk from the network."""

import hashlib
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from training.corpus.fetching import package_index
from training.corpus.fetching.archive_fetcher import ArchiveFetcher
from training.corpus.fetching.lock_file import Pin
from training.foundation.errors import run_main

PIN = Pin(name="parrot", version="1.0", sha256=(hashlib.sha256(b"").hexdigest(),))
PAGE = b'<a href="parrot-1.0.tar.gz#sha256=' + PIN.sha256[0].encode() + b'">x</a>'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_TIMEOUT", "2")
    monkeypatch.setattr(package_index, "RETRY_WAITS_S", (0.0,))


@pytest.fixture
def serve():
    """Starts a server that answers each connection by a function of the socket."""
    listeners = []

    def start(answer):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        answer(connection, connection.recv(65536))
                    except OSError:
                        continue

        threading.Thread(target=run, daemon=True).start()
        return listener.getsockname()[1]

    yield start
    for listener in listeners:
        listener.close()


def fetch(cache, capsys):
    code = run_main(lambda _: len(ArchiveFetcher(cache).fetch_all([PIN])) - 1, [])
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return code, lines[0]


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection, _: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"),
        lambda connection, _: connection.sendall(os.urandom(2000)),
        lambda connection, _: connection.sendall(HEAD + b"Content-Length: 999\r\n\r\nshort"),
        lambda connection, _: connection.sendall(
            HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnogz"
        ),
        lambda connection, _: connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"),
        lambda connection, _: None,
    ],
    ids=["ssh", "noise", "short", "not gzip", "circle", "nothing"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_is_no_index_is_one_sentence(
    tmp_path, monkeypatch, serve, capsys, scheme, answer
):
    monkeypatch.setenv("PIP_INDEX_URL", f"{scheme}://127.0.0.1:{serve(answer)}/simple")
    code, line = fetch(tmp_path / "cache", capsys)
    assert code == 3
    assert "parrot==1.0" in line


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1/simple", "http://", "http://[::1"])
def test_an_address_that_is_none_is_one_sentence(tmp_path, monkeypatch, capsys, url):
    monkeypatch.setenv("PIP_INDEX_URL", url)
    assert fetch(tmp_path / "cache", capsys)[0] == 3


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_named(tmp_path, monkeypatch, capsys, content):
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    monkeypatch.setenv("PIP_CERT", str(path))
    code, line = fetch(tmp_path / "cache", capsys)
    assert code == 3
    assert "ca.pem" in line
    assert "correct 'cert'" in line


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch, serve, capsys):
    """If it fails, a full disk is reported as trouble of the network, after three downloads."""

    def answer(connection, request):
        body = PAGE if b"/simple/" in request.split(b"\r\n")[0] else b""
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{serve(answer)}/simple")
    cache = tmp_path / "file"
    cache.touch()
    code, line = fetch(cache / "cache", capsys)
    assert code == 3
    assert str(cache) in line
    assert "network" not in line


def test_a_server_that_never_ends_is_left(tmp_path, monkeypatch, serve, capsys):
    """If it fails, one byte a second holds a build for days."""
    monkeypatch.setattr(package_index, "MAX_DOWNLOAD_S", 0.3)

    def answer(connection, request):
        if request.startswith(b"GET /simple/parrot/ "):
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(PAGE) + PAGE)
            return
        connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
        for _ in range(100):
            connection.sendall(b"x")
            time.sleep(0.05)

    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{serve(answer)}/simple")
    started = time.monotonic()
    code, line = fetch(tmp_path / "cache", capsys)
    assert code == 3
    assert "is too slow" in line
    assert time.monotonic() - started < 10
    assert not [path for path in Path(tmp_path / "cache").iterdir() if path.is_file()]
