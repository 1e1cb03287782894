"""The server's end of the worker: starts the process, sends it messages, notices when it exits.

The only module of the server that starts a process. Callbacks run in a thread of its own.
"""

import contextlib
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

from server.isolation import ROOT, child_environment
from server.worker.codec import BrokenStreamError, read_message, write_message
from server.worker.messages import PRELOAD_ARGUMENT, Message, ToWorker

_EXIT_TIMEOUT_S = 5.0  # for a worker whose stdin was closed

_log = logging.getLogger(__name__)


class WorkerProcess:
    """One process; once it has exited it is not started again.

    Args:
        on_message: Called with each message.
        on_exit: Called once with how it ended, unless it was closed.
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
        self._is_closing = False
        self._write_lock = threading.Lock()
        flags = ["-P", "-s"] if sys.flags.no_user_site else ["-P"]
        command = [sys.executable, *flags, "-m", __name__.rpartition(".")[0]]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [*command, PRELOAD_ARGUMENT] if preloads else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child_environment(),
            cwd=ROOT,  # the editor's own folder may be removed
        )
        self._thread = threading.Thread(target=self._read, name="worker reader", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def send(self, message: ToWorker) -> None:
        """Sends a message; drops it if the process is gone, which ``on_exit`` reports."""
        assert self._process.stdin is not None
        try:
            with self._write_lock:
                write_message(self._process.stdin, message)
        except BrokenStreamError as error:
            _log.debug("cannot send a message to the worker: %s", error)

    def close(self) -> None:
        """Ends the process, by force if it does not end by itself."""
        self._is_closing = True
        assert self._process.stdin is not None
        with self._write_lock, contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        if threading.current_thread() is not self._thread:
            self._thread.join(_EXIT_TIMEOUT_S)

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            while (message := read_message(self._process.stdout)) is not None:
                if not self._is_closing:
                    self._on_message(message)
        except BrokenStreamError as error:
            _log.error("received a broken message from the worker: %s", error)
            self._process.kill()
        code = self._process.wait()
        self._process.stdout.close()
        if not self._is_closing:
            self._on_exit(describe_exit(code))


def describe_exit(code: int) -> str:
    """Returns in words how a process with this exit code ended."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed ({signal.Signals(-code).name})"
    except ValueError:
        return f"was killed (signal {-code})"
