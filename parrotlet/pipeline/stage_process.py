"""The process of a stage: started in a group of its own, stopped for a while, ended gently.

If we are killed while it is stopped, the system wakes and ends it, since nobody else could; if it
runs, it notices by itself (:mod:`training.foundation.background.parent_watch`).
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil

from server.isolation import ROOT, child_command, child_environment
from training.foundation.background.parent_watch import PARENT_VARIABLE
from training.foundation.extras import DISTRIBUTION

_END_S = 150.0  # to finish a step and write a checkpoint
_OWN_GROUP = {"process_group": 0} if os.name == "posix" else {}
_MAX_LOG_BYTES = 1 << 20


class StageProcess:
    """A running command.

    Args:
        words: The command and its arguments, as after ``parrotlet``.
        log: The file for what it prints.
        folder: Where it is run; empty for the project's own.
    """

    def __init__(self, words: tuple[str, ...], log: Path, folder: str = "") -> None:
        self.is_stopped = False
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = {**child_environment(), PARENT_VARIABLE: str(os.getpid())}
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [*child_command(DISTRIBUTION), *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=folder or ROOT,
                **_OWN_GROUP,  # type: ignore[call-overload]
            )

    @property
    def pid(self) -> int:
        """The process's id."""
        return int(self._process.pid)

    def poll(self) -> int | None:
        """Returns the exit code; None while it runs."""
        code = self._process.poll()
        return None if code is None else int(code)

    def stop(self) -> None:
        """Stops it and its children for a while; they keep their memory."""
        if not self.is_stopped:
            self.is_stopped = True
            for process in self._list_processes():
                with contextlib.suppress(psutil.Error):
                    process.suspend()

    def wake(self) -> None:
        """Lets it go on."""
        if self.is_stopped:
            self.is_stopped = False
            for process in self._list_processes():
                with contextlib.suppress(psutil.Error):
                    process.resume()

    def end(self) -> None:
        """Ends it; it saves what it has, if it does so in time."""
        self.wake()
        end_process(psutil.Process(self.pid) if self.poll() is None else None)
        self._process.wait()

    def measure_memory(self) -> int:
        """Returns the bytes that it and its children hold."""
        total = 0
        for process in self._list_processes():
            with contextlib.suppress(psutil.Error):
                total += int(process.memory_info().rss)
        return total

    def read_last_line(self) -> str:
        """Returns the last line that it printed."""
        with contextlib.suppress(OSError):
            data = self._log.read_bytes()[-_MAX_LOG_BYTES:]
            lines = data.decode("utf-8", "replace").replace("\r", "\n").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""

    def _list_processes(self) -> Iterator[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            yield process
            yield from process.children(recursive=True)


def end_process(process: psutil.Process | None) -> None:
    """Ends a process and its children: asks first, then insists."""
    if process is None:
        return
    with contextlib.suppress(psutil.Error):
        children = process.children(recursive=True)
        for one in (process, *children):
            with contextlib.suppress(psutil.Error):
                one.resume()
        process.terminate()
        _, alive = psutil.wait_procs([process, *children], timeout=_END_S)
        for one in alive:
            with contextlib.suppress(psutil.Error):
                one.kill()
