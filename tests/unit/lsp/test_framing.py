"""Messages by their headers: whatever else is on the stream, the next message is found."""

import random
import time
import tracemalloc

import pytest

from server.lsp.connection.framing import MAX_MESSAGE_BYTES, MessageReader, Skipped

GOOD = b'{"jsonrpc":"2.0"}'
MESSAGE = b"Content-Length: %d\r\n\r\n%s" % (len(GOOD), GOOD)


def read_all(data, piece=1 << 16):
    """What is read of a stream in pieces: messages, and None where bytes were skipped."""
    position = 0

    def read(n_bytes):
        nonlocal position
        start, position = position, min(len(data), position + min(n_bytes, piece))
        return data[start:position]

    reader = MessageReader(read)
    found = []
    while (message := reader.next()) is not None:
        if not isinstance(message, Skipped):
            found.append(message)
        elif message.is_first:
            found.append(None)
    return found


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: 17\r\n\r\n",
        b"content-length:17\r\n\r\n",
        b"CONTENT-LENGTH \t:  17 \r\n\r\n",
        b"Content-Length: 17\n\n",
        b"Content-Length: 0017\r\n\r\n",
        b"Content-Length: 17\r\nContent-Length: 17\r\n\r\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 17\r\n\r\n",
        b"Content-Length: 17\r\nContent-Type: text/plain; charset=base64\r\n\r\n",
        b"\r\n\r\nContent-Length: 17\r\n\r\n",
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
def test_headers_are_read_however_they_are_written(header, piece):
    assert read_all(2 * (header + GOOD), piece) == [GOOD, GOOD]


BROKEN = {
    "negative": b"Content-Length: -5\r\n\r\n",
    "words": b"Content-Length: many\r\n\r\n{}",
    "empty": b"Content-Length:\r\n\r\n",
    "underscores": b"Content-Length: 1_7\r\n\r\n",
    "sign": b"Content-Length: +17\r\n\r\n",
    "hexadecimal": b"Content-Length: 0x11\r\n\r\n",
    "other digits": "Content-Length: ١٧\r\n\r\n".encode(),
    "5,000 digits": b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "a million digits": b"Content-Length: " + b"9" * 1_000_000 + b"\r\n\r\n",
    "too long": b"Content-Length: %d\r\n\r\n" % (MAX_MESSAGE_BYTES + 1),
    "8 GB": b"Content-Length: 8000000000\r\n\r\n{}",
    "two lengths": b"Content-Length: 2\r\nContent-Length: 400\r\n\r\n{}",
    "no length": b"X: y\r\n\r\n{}",
    "no length, a long body": b"X: y\r\n\r\n" + b"x" * 300_000,
    "garbage": b"Traceback (most recent call last):\n  File 'a'\n",
    "garbage without a line": b"hello",
    "binary": bytes(range(256)) * 600,
    "a torn header": b"Content-Len\r\n\r\n",
    "many headers": b"X-Y: z\r\n" * 20_000 + b"\r\n",
    "one long line": b"A" * 500_000,
    "many names": b"content-length " * 20_000,
    "a body that is longer than it says": b"Content-Length: 2\r\n\r\n{}}}}",
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("piece", [1000, 1 << 16])
def test_what_is_no_message_is_skipped_and_the_next_is_found(name, piece):
    """If it fails, one broken header ends the session, or swallows all that comes after it."""
    for data in (BROKEN[name], 3 * BROKEN[name]):
        found = read_all(MESSAGE + data + MESSAGE + MESSAGE, piece)
        assert found[0] == GOOD
        assert found[-2:] == [GOOD, GOOD]
        assert None in found[1:-2] + [None][: name == "a body that is longer than it says"]
        assert found.count(None) <= 3


def test_what_is_skipped_is_told_once_and_shown_in_part():
    """If it fails, a broken change leaves an old text without a word."""
    data = BROKEN["8 GB"] + b'{"method":"textDocument/didChange"' + b"x" * 10**6 + MESSAGE
    parts = iter([data, b""])
    reader = MessageReader(lambda _: next(parts))
    first, second = reader.next(), reader.next()
    assert (first.is_first, second.is_first) == (True, False)
    assert b"textDocument/didChange" in second.data
    assert len(second.data) <= 1 << 16
    assert reader.next() == GOOD


def test_a_stream_that_ends_anywhere_ends():
    for end in range(2 * len(MESSAGE)):
        assert read_all((2 * MESSAGE)[:end]) in ([], [GOOD])


def test_an_empty_message_is_one():
    assert read_all(b"Content-Length: 0\r\n\r\n" + MESSAGE) == [b"", GOOD]


def test_skipping_needs_time_in_proportion_and_no_memory():
    """If it fails, a client that writes its log to the server's input freezes it."""

    def measure(n_bytes):
        started = time.process_time()
        for data in (
            b"x" * n_bytes,
            b"content-length: " * (n_bytes // 16),
            b"a: b\r\n" * (n_bytes // 6),
        ):
            read_all(data)
        return time.process_time() - started

    short = min(measure(1 << 18) for _ in range(2))
    assert min(measure(1 << 20) for _ in range(2)) < 10 * max(short, 0.005)
    data = b"x" * (1 << 24)
    tracemalloc.start()
    read_all(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_any_bytes_between_messages():
    """If it fails, some bytes are mistaken for a message, or hide one."""
    chance = random.Random(0)
    pieces = [
        b"Content-Length",
        b": ",
        b"5",
        b"\r\n",
        b"\n",
        b"\r",
        b"{}",
        b"x",
        b"\xff",
        MESSAGE,
        b"-",
        b":",
    ]
    for _ in range(2000):
        noise = b"".join(chance.choices(pieces, k=chance.randrange(12)))
        found = read_all(noise + b"\n\n\n" + 8 * MESSAGE, chance.choice([1, 5, 1 << 16]))
        assert found[-6:] == 6 * [GOOD]
