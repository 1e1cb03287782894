"""What a program prints: read as it comes, so that it never waits; its end is kept."""

import contextlib
import os

MAX_OUTPUT_BYTES = 64 << 20
TAIL_BYTES = 2000
_CHUNK_BYTES = 1 << 16


class Output:
    """The reading end of a program's standard output and error."""

    def __init__(self) -> None:
        self.descriptor, self.writer = os.pipe()
        os.set_blocking(self.descriptor, False)
        self._tail = b""
        self._total = 0

    def close_writer(self) -> None:
        """Leaves writing to the child."""
        os.close(self.writer)

    def read(self) -> bool:
        """Takes what is there; False when nobody can write any more."""
        try:
            chunk = os.read(self.descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return True
        self._total += len(chunk)
        self._tail = (self._tail + chunk)[-TAIL_BYTES:]
        return bool(chunk)

    @property
    def is_too_much(self) -> bool:
        """Whether the program has printed more than any may."""
        return self._total > MAX_OUTPUT_BYTES

    def close(self) -> str:
        """Returns the end of what was printed; nothing is read after that."""
        with contextlib.suppress(OSError):
            self.read()
        os.close(self.descriptor)
        return self._tail.decode("utf-8", "replace")
