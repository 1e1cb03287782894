"""Messages between processes: JSON behind a four-byte length, never pickle."""

import json
import os
from typing import Any

MAX_FRAME_BYTES = 32 << 20
_MAX_READ_BYTES = 1 << 20
_LENGTH_BYTES = 4
_encode = json.JSONEncoder(separators=(",", ":")).encode  # created once, since each use is short
_decode = json.JSONDecoder().raw_decode


class WireError(Exception):
    """The peer is gone, or what it sent is not a message."""


class NonsenseError(WireError):
    """What the peer sent is not a message."""


class TooLargeError(Exception):
    """The message is larger than any receiver accepts."""


def encode_frame(message: object) -> bytes:
    """Returns a message as bytes to send.

    Raises:
        TooLargeError: It is over ``MAX_FRAME_BYTES``.
    """
    data = _encode(message).encode()
    if len(data) > MAX_FRAME_BYTES:
        raise TooLargeError
    return len(data).to_bytes(_LENGTH_BYTES, "little") + data


def send(descriptor: int, message: object) -> None:
    """Writes one message.

    Raises:
        TooLargeError: It is over ``MAX_FRAME_BYTES``; nothing was written.
    """
    send_frame(descriptor, encode_frame(message))


def send_frame(descriptor: int, data: bytes) -> None:
    """Writes what :func:`encode_frame` or :func:`receive_frame` returned."""
    n_written = os.write(descriptor, data)
    while n_written < len(data):
        n_written += os.write(descriptor, memoryview(data)[n_written:])


def receive(descriptor: int, max_bytes: int = MAX_FRAME_BYTES) -> Any:
    """Reads one message.

    Raises:
        NonsenseError: The message is over ``max_bytes``, or it is not JSON.
        WireError: The stream has ended.
    """
    text = _read(descriptor, _read_length(descriptor, max_bytes))
    try:
        message, end = _decode(text.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise NonsenseError(f"not JSON: {error}") from error
    if end != len(text):
        raise NonsenseError("more than one message")
    return message


def receive_frame(descriptor: int, max_bytes: int = MAX_FRAME_BYTES) -> bytes:
    """Reads one message without parsing it, to be passed on.

    Raises:
        NonsenseError: The message is over ``max_bytes``.
        WireError: The stream has ended.
    """
    n_bytes = _read_length(descriptor, max_bytes)
    return n_bytes.to_bytes(_LENGTH_BYTES, "little") + _read(descriptor, n_bytes)


def _read_length(descriptor: int, max_bytes: int) -> int:
    n_bytes = int.from_bytes(_read(descriptor, _LENGTH_BYTES), "little")
    if n_bytes > max_bytes:
        raise NonsenseError(f"a message of {n_bytes} bytes")
    return n_bytes


def _read(descriptor: int, n_bytes: int) -> bytes:
    data = os.read(descriptor, min(n_bytes, _MAX_READ_BYTES)) if n_bytes else b""
    if len(data) == n_bytes:
        return data
    parts = bytearray(data)
    while data and len(parts) < n_bytes:
        data = os.read(descriptor, min(n_bytes - len(parts), _MAX_READ_BYTES))
        parts += data
    if len(parts) < n_bytes:
        raise WireError("the peer is gone")
    return bytes(parts)
