"""Messages between the server and its worker: JSON behind four bytes that tell its length.

Both ends are ours, and yet each frame is bounded: a torn stream must not ask for all memory.
"""

import json
import struct
from collections.abc import Mapping
from typing import IO, Any

MOST_BYTES = 64 << 20
_LENGTH = struct.Struct(">I")


class BrokenStreamError(Exception):
    """The other end is gone, or no longer says what can be understood."""


def write_frame(stream: IO[bytes], message: Mapping[str, Any]) -> None:
    """Writes one message.

    Raises:
        BrokenStreamError: The other end is gone, or the message is too long.
    """
    data = json.dumps(message, ensure_ascii=True).encode("ascii")  # halves of pairs survive so
    if len(data) > MOST_BYTES:
        raise BrokenStreamError(f"a message of {len(data)} bytes is too long")
    try:
        stream.write(_LENGTH.pack(len(data)) + data)
        stream.flush()
    except (OSError, ValueError) as error:  # ValueError: closed on this side
        raise BrokenStreamError(str(error)) from error


def read_frame(stream: IO[bytes]) -> dict[str, Any] | None:
    """Reads one message; None at the end of the stream.

    Raises:
        BrokenStreamError: The stream ends within a message, or holds something else.
    """
    head = stream.read(_LENGTH.size)
    if not head:
        return None
    n_bytes = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else MOST_BYTES + 1
    if n_bytes > MOST_BYTES:
        raise BrokenStreamError("invalid message length")
    data = stream.read(n_bytes)
    if len(data) < n_bytes:
        raise BrokenStreamError("the stream ended within a message")
    try:
        message = json.loads(data)
    except ValueError as error:
        raise BrokenStreamError("not valid JSON") from error
    if not isinstance(message, dict):
        raise BrokenStreamError("not a JSON object")
    return message
