"""Messages between processes: JSON behind a four-byte length, never pickle."""

import json
import os
import struct
from typing import Any

MAX_FRAME_BYTES = 32 << 20
_MAX_READ_BYTES = 1 << 20


class WireError(Exception):
    """The peer is gone, or what it sent is no message."""


class TooLargeError(Exception):
    """A message that no receiver would take."""


def send(descriptor: int, message: object) -> None:
    """Writes one message.

    Raises:
        TooLargeError: It is over ``MAX_FRAME_BYTES``; nothing was written.
    """
    data = json.dumps(message, separators=(",", ":")).encode()
    if len(data) > MAX_FRAME_BYTES:
        raise TooLargeError
    view = memoryview(struct.pack("<I", len(data)) + data)
    while view:
        view = view[os.write(descriptor, view) :]


def receive(descriptor: int, max_bytes: int = MAX_FRAME_BYTES) -> Any:
    """Reads one message.

    Raises:
        WireError: The end of the stream, a message over ``max_bytes``, or no JSON.
    """
    (n_bytes,) = struct.unpack("<I", _read(descriptor, 4))
    if n_bytes > max_bytes:
        raise WireError(f"a message of {n_bytes} bytes")
    try:
        return json.loads(_read(descriptor, n_bytes))
    except (ValueError, RecursionError) as error:
        raise WireError(f"no JSON: {error}") from error


def _read(descriptor: int, n_bytes: int) -> bytes:
    data = bytearray()
    while len(data) < n_bytes:
        chunk = os.read(descriptor, min(n_bytes - len(data), _MAX_READ_BYTES))
        if not chunk:
            raise WireError("the peer is gone")
        data += chunk
    return bytes(data)
