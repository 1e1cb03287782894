"""A service whose worker is a double, and which has been started."""

from typing import ClassVar

from server.engine.generation_request import TokenUsage
from server.settings import RemoteSettings, Settings
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult, Suggestion
from server.worker.messages import (
    Completed,
    Ready,
)
from server.worker.process import supervisor
from server.worker.service import CompletionService


class ProcessDouble:
    """A worker that does nothing by itself."""

    started: ClassVar[list] = []

    def __init__(self, on_message, on_exit, *, preloads=False):
        self.on_message, self.on_exit, self.preloads = on_message, on_exit, preloads
        self.sent, self.is_closed, self.pid = [], False, len(self.started) + 1
        self.is_muted = False
        self.started.append(self)

    def send(self, message):
        self.sent.append(message)

    def mute(self):
        self.is_muted = True

    def close(self):
        self.is_closed = True

    def kinds(self):
        return [type(message) for message in self.sent]


def replace_process(monkeypatch):
    """Has services start doubles; returns the list of them."""
    started = []
    monkeypatch.setattr(ProcessDouble, "started", started)
    monkeypatch.setattr(supervisor, "WorkerProcess", ProcessDouble)
    return started


class Started:
    """A service that has been started, and the states that it has reported."""

    def __init__(self, settings=None, *, is_ready=True):
        self.service, self.states = CompletionService(), []
        self.service.status.on_change = lambda state, reason: self.states.append((state, reason))
        self.service.start(settings or Settings())
        if is_ready:
            self.process.on_message(Ready(load_s=0.1))

    @property
    def process(self):
        return ProcessDouble.started[-1]

    def submit(self, text="x", document="a", **options):
        request = CompletionRequest(text=text, offset=len(text), document=document, **options)
        return self.service.submit(request)

    def answer(self, pending, result, *, is_cancelled=False):
        self.process.on_message(Completed(id=pending.id, result=result, is_cancelled=is_cancelled))


REMOTE = Settings(remote=RemoteSettings(url="http://gpu:8000"))
SHOWN = CompletionResult(suggestion=Suggestion(text="y"), usage=TokenUsage(first_token_ms=3.0))
