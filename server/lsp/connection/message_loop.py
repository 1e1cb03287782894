"""The client's messages, read in a thread and handed over on the event loop; and ours to it."""

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO

from server.lsp.connection.framing import MessageReader, Skipped

_MAX_AHEAD = 4  # messages that are read before the first of them is handled


class MessageWriter:
    """Writes to the client.

    Args:
        stream: What the client reads.
        on_gone: Called if it reads no more.
    """

    def __init__(self, stream: BinaryIO, on_gone: Callable[[], None]) -> None:
        self._stream = stream
        self._on_gone = on_gone

    def write(self, data: bytes) -> None:
        """Writes one message."""
        try:
            self._stream.write(data)
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: closed at this end
            self._on_gone()

    def close(self) -> None:
        """Leaves the stream to its owner."""


class MessageLoop:
    """The messages of one stream.

    The thread reads the descriptor itself: a buffered stream that a thread waits for cannot be
    closed, and the process would not end before the client says something.

    Args:
        descriptor: Of the stream.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Queue[bytes | Skipped | None] = asyncio.Queue()
        self._may_read = threading.Semaphore(_MAX_AHEAD)

    async def messages(self) -> AsyncIterator[bytes | Skipped]:
        """Yields each message, and what is none, until the stream ends or is stopped."""
        threading.Thread(target=self._read, name="client reader", daemon=True).start()
        while (message := await self._arrived.get()) is not None:
            yield message
            self._may_read.release()

    def stop(self) -> None:
        """Ends the messages after those that have arrived."""
        self._arrived.put_nowait(None)

    def _read(self) -> None:
        reader = MessageReader(lambda n_bytes: os.read(self._descriptor, n_bytes))
        with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: the event loop has ended
            while (message := reader.next()) is not None:
                self._may_read.acquire()
                self._loop.call_soon_threadsafe(self._arrived.put_nowait, message)
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._arrived.put_nowait, None)
