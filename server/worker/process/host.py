"""The server's end of the worker: starts the process, sends it messages, notices how it ends.

Callbacks run in threads of its own, and so
does writing: a process that reads nothing must not stop whoever sends.
"""

import contextlib
import logging
import queue
import signal
import subprocess
import threading
from collections.abc import Callable

from server.isolation import ROOT, child_command, child_environment
from server.worker.codec import BrokenStreamError, read_message, write_message
from server.worker.messages import PRELOAD_ARGUMENT, Message, ToWorker
from server.worker.process.watchdog import Watchdog

_EXIT_TIMEOUT_S = 2.0  # for a worker whose stdin was closed

BROKEN = "sent a broken message"
_END = None  # in the queue: close the stream

_log = logging.getLogger(__name__)


class WorkerProcess:
    """One process; once it has exited it is not started again.

    Args:
        on_message: Called with each message.
        on_exit: Called once with how it ended, unless it was muted or closed.
        preloads: Whether it imports the model's libraries at once, before it is told which model
            to load.
    """

    def __init__(
        self,
        on_message: Callable[[Message], None],
        on_exit: Callable[[str], None],
        *,
        preloads: bool = False,
    ) -> None:
        self._on_message = on_message
        self._on_exit = on_exit
        self._is_muted = False
        self._failure: str | None = None
        self._outbox: queue.SimpleQueue[ToWorker | None] = queue.SimpleQueue()
        command = child_command(__name__.rsplit(".", 2)[0])
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [*command, PRELOAD_ARGUMENT] if preloads else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child_environment(),
            cwd=ROOT,  # the editor's own folder may be removed
        )
        self._watchdog = Watchdog(self.send, self._end)
        self._threads = [
            threading.Thread(target=self._read, name="worker reader", daemon=True),
            threading.Thread(target=self._write, name="worker writer", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def send(self, message: ToWorker) -> None:
        """Sends a message; drops it if the process is gone, which ``on_exit`` reports."""
        self._watchdog.note_sent(message)
        self._outbox.put(message)

    def mute(self) -> None:
        """Reports nothing of the process any more: it is about to be replaced."""
        self._is_muted = True

    def close(self) -> None:
        """Ends the process, by force if it does not end by itself."""
        self.mute()
        self._watchdog.close()
        self._outbox.put(_END)
        try:
            self._process.wait(_EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_EXIT_TIMEOUT_S)

    def _end(self, failure: str) -> None:
        """Ends the process because of what it does, or does not."""
        _log.error("the worker %s", failure)
        self._failure = failure
        self._process.kill()

    def _write(self) -> None:
        stream = self._process.stdin
        assert stream is not None
        while (message := self._outbox.get()) is not _END:
            try:
                write_message(stream, message)
            except BrokenStreamError as error:
                _log.debug("cannot send a message to the worker: %s", error)
        with contextlib.suppress(OSError):
            stream.close()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        try:
            while (message := read_message(stream)) is not None:
                self._watchdog.note_received(message)
                if not self._is_muted:
                    self._on_message(message)
        except Exception as error:  # noqa: BLE001 - a message that is none fails anywhere
            _log.debug("received a broken message from the worker", exc_info=error)
            self._end(BROKEN)
        code = self._process.wait()
        self._watchdog.close()
        self._outbox.put(_END)
        stream.close()
        if not self._is_muted:
            self._on_exit(self._failure or describe_exit(code))


def describe_exit(code: int) -> str:
    """Returns in words how a process with this exit code ended."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed ({signal.Signals(-code).name})"
    except ValueError:
        return f"was killed (signal {-code})"
