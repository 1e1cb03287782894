"""The worker's loop over real pipes, with a completer that is a double."""

import contextlib
import os
import threading
from typing import ClassVar

from server.backends.backend import BackendInfo, BackendUnavailableError
from server.settings import Settings
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult, Suggestion
from server.worker import request_loop
from server.worker.codec import read_message, write_message
from server.worker.messages import Complete, Load
from server.worker.request_loop import RequestLoop
from training.foundation.errors import ArtifactError


class CompleterDouble:
    """Answers with the request's text; the text may name something else to do."""

    has_begun = threading.Event()
    has_read = threading.Event()
    ahead: ClassVar[list[tuple[str, str]]] = []
    forgotten: ClassVar[list[bool]] = []
    workspace_memory = None
    memory = None

    def __init__(self, settings):
        self.settings = settings

    @classmethod
    def load(cls, *, settings, **_):
        if settings.model == "damaged":
            raise ArtifactError("the model is damaged; train another")
        if settings.model == "strange":
            raise ZeroDivisionError
        return cls(settings)

    def warm_up(self):
        pass

    def complete(self, request, should_stop, wait_for_pause):
        assert wait_for_pause is None or wait_for_pause()
        if request.text == "fail":
            raise KeyError("users' text")
        if request.text == "away":
            raise BackendUnavailableError("it is away: x = 1", unquoted="it is away", is_new=True)
        if request.text == "wait":
            self.has_begun.set()
            while not should_stop():
                pass
        known = request.workspace.context_text + (self.memory or "")
        text = request.text + known + self.settings.suggestion.eagerness
        return CompletionResult(suggestion=Suggestion(text=text))

    def read_ahead(self, request, should_stop):
        self.ahead.append((request.before, request.workspace.context_text))
        self.has_read.set()
        while request.text == "long" and not should_stop():
            pass

    def describe(self):
        return BackendInfo(threads=2)

    def change_settings(self, settings):
        self.settings = settings

    def forget_suggestions(self, *, only_known):
        self.forgotten.append(only_known)

    def create_memory(self):
        return self.workspace_memory


class Server:
    """The server's end of the pipes."""

    def __init__(self):
        to_worker, from_worker = os.pipe(), os.pipe()
        self.loop_ends = os.fdopen(to_worker[0], "rb"), os.fdopen(from_worker[1], "wb")
        self.source, self.sink = os.fdopen(from_worker[0], "rb"), os.fdopen(to_worker[1], "wb")
        self.thread = threading.Thread(target=RequestLoop(*self.loop_ends).run)
        self.thread.start()

    def send(self, *messages):
        for message in messages:
            write_message(self.sink, message)

    def ask(self, number, text):
        request = CompletionRequest(text=text, offset=len(text))
        self.send(Complete(id=number, request=request, quiet_s=0.0))

    def receive(self):
        return read_message(self.source)

    def close(self):
        self.sink.close()
        self.thread.join(10)
        assert not self.thread.is_alive()
        for stream in (self.source, *self.loop_ends):
            stream.close()


@contextlib.contextmanager
def run_loop(monkeypatch):
    """A loop that runs, and completes with the double."""
    monkeypatch.setattr(request_loop, "Completer", CompleterDouble)
    monkeypatch.setattr(CompleterDouble, "has_begun", threading.Event())
    monkeypatch.setattr(CompleterDouble, "has_read", threading.Event())
    monkeypatch.setattr(CompleterDouble, "ahead", [])
    monkeypatch.setattr(CompleterDouble, "forgotten", [])
    server = Server()
    yield server
    server.close()


def load(server, model=""):
    server.send(Load(settings=Settings(model=model)))
    return server.receive()
