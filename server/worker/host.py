"""The server's side of its worker: starts the process, speaks to it, notices when it is gone.

The only module of the server that starts a process. What comes from the worker is told from a
thread of its own.
"""

import contextlib
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from server.isolation import ROOT, child_environment
from server.worker.frames import BrokenStreamError, read_frame, write_frame
from server.worker.messages import EXPECTS_MODEL

_PATIENCE_S = 5.0  # for a worker that was told to end

_log = logging.getLogger(__name__)


class WorkerProcess:
    """One process; when it is gone, it is gone for good.

    Args:
        heard: Told each message.
        ended: Told once, how it ended, if nobody closed it.
        expects_model: It imports at once what a model on this machine needs, before it is told
            which.
    """

    def __init__(
        self,
        heard: Callable[[dict[str, Any]], None],
        ended: Callable[[str], None],
        *,
        expects_model: bool = False,
    ) -> None:
        self._heard = heard
        self._ended = ended
        self._is_closing = False
        self._write_lock = threading.Lock()
        flags = ["-P", "-s"] if sys.flags.no_user_site else ["-P"]
        command = [sys.executable, *flags, "-m", __name__.rpartition(".")[0]]
        self._process = subprocess.Popen(  # noqa: S603 - a program of our own
            [*command, EXPECTS_MODEL] if expects_model else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child_environment(),
            cwd=ROOT,  # the editor's own may be removed
        )
        self._thread = threading.Thread(target=self._listen, name="worker's ear", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The process' number."""
        return self._process.pid

    def send(self, message: Mapping[str, Any]) -> None:
        """Sends a message; one that cannot be sent is dropped, since ``ended`` will be told."""
        assert self._process.stdin is not None
        try:
            with self._write_lock:
                write_frame(self._process.stdin, message)
        except BrokenStreamError as error:
            _log.debug("a message could not be sent: %s", error)

    def close(self) -> None:
        """Ends the process, by force if it does not."""
        self._is_closing = True
        assert self._process.stdin is not None
        with self._write_lock, contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        if threading.current_thread() is not self._thread:
            self._thread.join(_PATIENCE_S)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        try:
            while (message := read_frame(self._process.stdout)) is not None:
                if not self._is_closing:
                    self._heard(message)
        except BrokenStreamError as error:
            _log.error("received a broken message from the worker: %s", error)
            self._process.kill()
        code = self._process.wait()
        self._process.stdout.close()
        if not self._is_closing:
            self._ended(_told(code))


def _told(code: int) -> str:
    """Returns how a process ended, in words."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed ({signal.Signals(-code).name})"
    except ValueError:
        return f"was killed (signal {-code})"
