"""What a program prints: read as it comes, so that the program never waits; the end is kept."""

import contextlib
import os

MAX_OUTPUT_BYTES = 64 << 20
TAIL_BYTES = 2000
_CHUNK_BYTES = 1 << 16


class ProgramOutput:
    """The reading end of a program's standard output and error."""

    def __init__(self) -> None:
        self.descriptor, self.writer = os.pipe()
        os.set_blocking(self.descriptor, False)
        self._tail = b""
        self._n_bytes = 0

    def close_writer(self) -> None:
        """Closes our copy of the writing end, which the child has inherited."""
        os.close(self.writer)

    def read(self) -> bool:
        """Reads what is there; returns False once nobody can write any more."""
        try:
            chunk = os.read(self.descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return True
        self._n_bytes += len(chunk)
        self._tail = (self._tail + chunk)[-TAIL_BYTES:]
        return bool(chunk)

    @property
    def is_too_long(self) -> bool:
        """Whether the program has printed more than it may."""
        return self._n_bytes > MAX_OUTPUT_BYTES

    def close(self) -> str:
        """Stops reading and returns the end of what was printed."""
        with contextlib.suppress(OSError):
            self.read()
        os.close(self.descriptor)
        return self._tail.decode("utf-8", "replace")
