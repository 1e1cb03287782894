"""Stages of a pipeline forked from a process that has PyTorch imported already.

Starting Python with PyTorch takes seconds; a pipeline of eight commands would take half a minute of
nothing else. What is about the start of a process is tested with real ones.
"""

import contextlib
import os
import sys

import psutil
from training_run import FORKS

from parrotlet.pipeline.stage_process import StageProcess, end_process

AUDIT_VARIABLE = "CONNECTIONS_LOG"
AUDIT = """
import os, socket, sys
log = os.open(os.environ["CONNECTIONS_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
def look(event, arguments):
    if event in {"socket.connect", "socket.sendto", "socket.getaddrinfo"}:
        address = arguments[1] if event != "socket.getaddrinfo" else arguments[:2]
        if not isinstance(address, (str, bytes)):  # else a unix socket
            os.write(log, f"{event} {address}\\n".encode())
os.write(log, f"process {sys.argv[:2]}\\n".encode())
sys.addaudithook(look)
"""


def run_words(words, log, audit):
    if audit:  # the program that replaces this process when it trains finds it, too
        os.environ |= {AUDIT_VARIABLE: f"{audit}/connections.txt", "PYTHONPATH": audit}
        exec(AUDIT, {})
    with open(log, "w") as file:  # noqa: PTH123 - as a shell would
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        from parrotlet.dispatch import main

        os.setpgid(0, 0)
        code = main(list(words))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class ForkedStage(StageProcess):
    """Takes the place of a stage's process."""

    started = []  # noqa: RUF012 - of the session
    audit = ""  # a folder for the list of all connections

    def __init__(self, words, log, folder=""):
        self.is_stopped, self._log, self.words = False, log, words
        log.parent.mkdir(parents=True, exist_ok=True)
        self._forked = FORKS.Process(target=run_words, args=(words, str(log), self.audit))
        self._forked.start()
        self.started.append(self)

    @property
    def pid(self):
        return self._forked.pid

    def poll(self):
        return self._forked.exitcode

    def end(self):
        self.wake()
        with contextlib.suppress(psutil.Error):
            end_process(psutil.Process(self.pid) if self.poll() is None else None)
        self._forked.join()

    def kill(self):
        with contextlib.suppress(psutil.Error):  # it may have ended by itself
            process = psutil.Process(self.pid)
            for one in [*process.children(recursive=True), process]:
                one.kill()
