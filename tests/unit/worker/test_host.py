"""The process at the other end of the pipes: whatever it does, its end is noticed and described."""

import subprocess
import sys
import threading

import pytest

from server.settings import Settings
from server.suggestion.request import CompletionRequest
from server.worker.messages import Complete, Load, LoadFailed
from server.worker.process import watchdog
from server.worker.process.host import BROKEN, WorkerProcess
from server.worker.process.watchdog import FROZEN

REQUEST = Complete(id=1, request=CompletionRequest(text="x" * 100_000, offset=0), quiet_s=0.0)
READS_ALL = "import sys; sys.stdin.buffer.read()"


class Worker:
    """A process that runs ``program`` in place of the worker."""

    def __init__(self, program, monkeypatch):
        start, command = subprocess.Popen, [sys.executable, "-c", program]
        monkeypatch.setattr(subprocess, "Popen", lambda _, **rest: start(command, **rest))
        self.messages, self.how, self.has_exited = [], None, threading.Event()
        self.process = WorkerProcess(self.messages.append, self.exit)

    def exit(self, how):
        self.how = how
        self.has_exited.set()

    def wait(self, seconds=60):
        assert self.has_exited.wait(seconds)
        return self.how


@pytest.fixture
def start(monkeypatch):
    started = []

    def start_worker(program):
        started.append(Worker(program, monkeypatch))
        return started[-1]

    yield start_worker
    for worker in started:
        worker.process.close()


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("raise SystemExit(3)", "exited with code 3"),
        ("import os; os.kill(os.getpid(), 9)", "was killed (SIGKILL)"),
        ("import os; os.write(1, b'garbage that is no frame' * 9999)", BROKEN),
        (f"import os; os.write(1, b'\\0\\0\\0\\5[[[[['); {READS_ALL}", BROKEN),
        (f"import os; os.write(1, b'\\0\\0\\0\\2{{}}'); {READS_ALL}", BROKEN),
        ("import os; os.write(1, b'\\0\\0\\0\\5ab')", BROKEN),
        ("import os; os.write(1, b'\\xff\\xff\\xff\\xff'); import time; time.sleep(60)", BROKEN),
        ("import os; os.write(1, (10**5).to_bytes(4, 'big') + b'[' * 10**5)", BROKEN),
    ],
)
def test_how_a_process_ends_is_told(start, program, how):
    """If it fails, a worker that breaks off in the middle of an answer is not replaced."""
    assert start(program).wait() == how


def test_a_process_that_is_muted_reports_nothing_any_more(start):
    data = b'{"kind":"load_failed","fields":{"reason":"x"}}'
    framed = len(data).to_bytes(4, "big") + data
    worker = start(f"import os, sys; sys.stdin.buffer.read(4); os.write(1, {framed!r})")
    worker.process.mute()
    worker.process.send(Load(settings=Settings()))  # so that it answers, and ends
    assert not worker.has_exited.wait(1)
    assert worker.messages == []


def test_a_message_that_cannot_be_handled_ends_the_process(start, monkeypatch):
    data = b'{"kind":"load_failed","fields":{"reason":"x"}}'
    framed = len(data).to_bytes(4, "big") + data
    worker = start(f"import os; os.write(1, {framed!r}); {READS_ALL}")
    worker.process.close()
    assert worker.messages in ([], [LoadFailed(reason="x")])
    assert not worker.has_exited.wait(0.1)  # it was closed


def test_sending_never_waits_for_a_process_that_reads_nothing(start, monkeypatch):
    """If it fails, a stopped worker stops the editor's messages, too."""
    monkeypatch.setattr(watchdog, "TICK_S", 0.05)
    monkeypatch.setattr(watchdog, "FROZEN_S", 0.5)
    worker = start("import time; time.sleep(60)")
    for _ in range(100):
        worker.process.send(REQUEST)  # ten megabytes, more than any pipe holds
    assert worker.wait() == FROZEN


def test_a_stopped_process_is_ended(start, monkeypatch):
    """If it fails, a worker that was stopped by a signal is never replaced."""
    monkeypatch.setattr(watchdog, "TICK_S", 0.05)
    monkeypatch.setattr(watchdog, "FROZEN_LOADING_S", 0.5)
    worker = start("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")
    worker.process.send(Load(settings=Settings()))
    assert worker.wait() == FROZEN
