"""A process that does not answer: noticed within seconds, and never without reason."""

import threading
import time

import pytest

from server.settings import Settings
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult
from server.worker.messages import (
    ChangeSettings,
    Complete,
    Completed,
    Downloading,
    Load,
    Progress,
    Ready,
)
from server.worker.process import watchdog
from server.worker.process.watchdog import FROZEN, LOOPING, Watchdog

COMPLETE = Complete(id=1, request=CompletionRequest(text="", offset=0), quiet_s=0.0)
TIMEOUT_S = 60.0  # for a busy machine
COMPLETED = Completed(id=1, result=CompletionResult(), is_cancelled=False)


class Watched:
    """A process that answers its watchdog with ``progress``, unless that is None."""

    def __init__(self, progress=None):
        self.progress, self.n_asked, self.failure = progress, 0, None
        self.has_failed = threading.Event()
        self.watchdog = Watchdog(self.ask, self.fail)

    def ask(self, message):
        self.n_asked += 1
        self.watchdog.note_sent(message)
        if self.progress is not None:
            self.watchdog.note_received(self.progress)

    def fail(self, how):
        self.failure = how
        self.has_failed.set()

    def send(self, *messages):
        for message in messages:
            self.watchdog.note_sent(message)
        return self


@pytest.fixture(autouse=True)
def short_times(monkeypatch):
    monkeypatch.setattr(watchdog, "TICK_S", 0.02)
    monkeypatch.setattr(watchdog, "FROZEN_S", 0.2)
    monkeypatch.setattr(watchdog, "FROZEN_LOADING_S", 1.2)
    monkeypatch.setattr(watchdog, "LOOPING_S", 5.0)


def test_a_process_that_says_nothing_is_frozen():
    """If it fails, a stopped process ends all suggestions, and nobody says so."""
    watched = Watched().send(COMPLETE)
    assert watched.has_failed.wait(TIMEOUT_S)
    assert watched.failure == FROZEN


def test_a_process_that_makes_no_step_is_in_a_loop():
    watched = Watched(Progress(stalled_s=4.0)).send(COMPLETE)
    assert not watched.has_failed.wait(0.4)
    watched.progress = Progress(stalled_s=5.0)
    assert watched.has_failed.wait(TIMEOUT_S)
    assert watched.failure == LOOPING


def test_loading_takes_its_time():
    """If it fails, a slow disk keeps the model from ever being loaded."""
    watched = Watched().send(Load(settings=Settings()), COMPLETE)
    assert not watched.has_failed.wait(0.8)
    watched.watchdog.note_received(Downloading(done_bytes=1, total_bytes=2))
    assert not watched.has_failed.wait(0.8)
    watched.watchdog.note_received(Ready(load_s=1.0))
    assert watched.has_failed.wait(TIMEOUT_S)


def test_a_process_that_owes_nothing_is_left_alone():
    """If it fails, an idle editor wakes the processor, or a paused machine loses its model."""
    watched = Watched().send(ChangeSettings(settings=Settings()))
    time.sleep(0.1)
    assert watched.n_asked == 0
    watched.send(COMPLETE)
    watched.watchdog.note_received(COMPLETED)
    time.sleep(0.05)
    n_asked = watched.n_asked
    assert not watched.has_failed.wait(0.3)
    assert watched.n_asked <= n_asked + 1
    watched.send(COMPLETE)
    assert watched.has_failed.wait(TIMEOUT_S)


def test_a_process_that_works_is_left_alone():
    watched = Watched(Progress(stalled_s=0.0)).send(COMPLETE)
    assert not watched.has_failed.wait(0.5)
    deadline = time.monotonic() + TIMEOUT_S
    while watched.n_asked <= 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert watched.n_asked > 5
    assert not watched.has_failed.is_set()
    watched.watchdog.close()


def test_a_watch_that_has_ended_says_nothing():
    watched = Watched().send(COMPLETE)
    watched.watchdog.close()
    assert not watched.has_failed.wait(0.3)
