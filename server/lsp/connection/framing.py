"""Messages on a stream: headers, one of which is the length, then so many bytes.

Whatever does not belong to a message is skipped, and reading goes on at the next header: a body is
JSON, in which no line ends with a header, so that nothing else is mistaken for one. Memory is
bounded by the longest message.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_MESSAGE_BYTES = 128 << 20
_MAX_LINE_BYTES = 1 << 13
_READ_BYTES = 1 << 16
_MAX_KEPT_BYTES = 1 << 16  # of what is skipped
_NAME = b"content-length"
_OTHER_HEADER = re.compile(rb"[A-Za-z-]{1,64}[ \t]*:.*", re.DOTALL)
_DIGITS = re.compile(rb"[0-9]{1,12}")


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """Bytes that are no message: the first of them, and whether none were skipped just before."""

    data: bytes
    is_first: bool


class MessageReader:
    """Reads messages one by one.

    Args:
        read: Returns at most as many bytes as it is asked for, none at the end of the stream.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._buffer = bytearray()
        self._skipped = bytearray()
        self._is_lost = False  # something was skipped since the last message
        self._length: int | None = None

    def next(self) -> bytes | Skipped | None:
        """Returns the next message, or what is none; None at the end of the stream."""
        has_headers, is_broken = self._length is not None, False
        while (line := self._read_line()) is not None:
            found = _find_length(line)
            if found is not None:
                before, length = found
                is_broken |= length is None or self._length not in {None, length}
                has_headers, self._length = True, length
                self._skip(before)
                if self._skipped:
                    return self._report()
            elif _OTHER_HEADER.fullmatch(line):
                has_headers = True
            elif line:
                self._skip(line)
            elif has_headers:  # this is where they end
                length, self._length = self._length, None
                return self._report() if is_broken or length is None else self._read_body(length)
        return None

    def _read_line(self) -> bytes | None:
        """Returns a line without its end, the end of a very long one; None at the stream's end."""
        while (end := self._buffer.find(b"\n")) < 0:
            n_too_many = len(self._buffer) - _MAX_LINE_BYTES
            if n_too_many > 0:
                self._skip(self._buffer[:n_too_many])
                del self._buffer[:n_too_many]
            data = self._read(_READ_BYTES)
            if not data:
                return None
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.rstrip(b"\r")

    def _read_body(self, n_bytes: int) -> bytes | None:
        parts = [bytes(self._buffer[:n_bytes])]
        del self._buffer[:n_bytes]
        n_missing = n_bytes - len(parts[0])
        while n_missing:
            data = self._read(n_missing)
            if not data:
                return None
            parts.append(data)
            n_missing -= len(data)
        self._is_lost = False
        return b"".join(parts)

    def _skip(self, data: bytes | bytearray) -> None:
        self._skipped += data[: _MAX_KEPT_BYTES - len(self._skipped)]

    def _report(self) -> Skipped:
        skipped = Skipped(data=bytes(self._skipped), is_first=not self._is_lost)
        self._skipped.clear()
        self._is_lost = True
        return skipped


def _find_length(line: bytes) -> tuple[bytes, int | None] | None:
    """Returns what stands before a length in a line, and the length; None if there is none.

    A length that is none, or too long, is None where nothing stands before it.
    """
    at = line.lower().rfind(_NAME)
    after = line[at + len(_NAME) :].strip()
    if at < 0 or after[:1] != b":":
        return None
    digits = after[1:].strip()
    length = int(digits) if _DIGITS.fullmatch(digits) else None
    if length is not None and length > MAX_MESSAGE_BYTES:
        length = None
    return None if length is None and at > 0 else (line[:at], length)
