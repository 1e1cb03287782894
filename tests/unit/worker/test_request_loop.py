"""The worker's loop over real pipes, with a completer that is a double."""

import os
import subprocess
import sys
import threading
import time
from typing import ClassVar

import pytest

from server.backends.backend import BackendInfo, BackendUnavailableError
from server.indexing.workspace_indexer import IndexRequest, index_workspace
from server.isolation import ROOT
from server.settings import ContextSettings, Settings, SuggestionSettings
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult, Suggestion
from server.worker import request_loop
from server.worker.codec import read_message, write_message
from server.worker.messages import (
    BackendUnavailable,
    Cancel,
    ChangeSettings,
    CheckHealth,
    Complete,
    Completed,
    Failed,
    HealthReport,
    Load,
    LoadFailed,
    ReadAhead,
    Ready,
    UpdateDocument,
    UpdateWorkspace,
    UseIndex,
)
from server.worker.request_loop import RequestLoop
from server.workspace.memory_info import MemoryInfo
from server.workspace.snapshot import WorkspaceSnapshot
from training.foundation.errors import ArtifactError


class CompleterDouble:
    """Answers with the request's text; the text may name something else to do."""

    has_begun = threading.Event()
    has_read = threading.Event()
    ahead: ClassVar[list[tuple[str, str]]] = []
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
            raise BackendUnavailableError("it is away", is_new=True)
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


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(request_loop, "Completer", CompleterDouble)
    monkeypatch.setattr(CompleterDouble, "has_begun", threading.Event())
    monkeypatch.setattr(CompleterDouble, "has_read", threading.Event())
    monkeypatch.setattr(CompleterDouble, "ahead", [])
    server = Server()
    yield server
    server.close()


def load(server, model=""):
    server.send(Load(settings=Settings(model=model)))
    return server.receive()


def test_requests_are_answered_with_the_settings_and_workspace_sent_before(server):
    """If it fails, a changed setting or another file's names come one request late."""
    assert isinstance(load(server), Ready)
    server.ask(1, "a ")
    assert server.receive() == Completed(
        id=1, result=CompletionResult(suggestion=Suggestion(text="a balanced")), is_cancelled=False
    )
    server.send(
        UpdateWorkspace(snapshot=WorkspaceSnapshot(context_text="b ")),
        ChangeSettings(settings=Settings(suggestion=SuggestionSettings(eagerness="quiet"))),
    )
    server.ask(2, "a ")
    assert server.receive().result.suggestion.text == "a b quiet"


def read_ahead(text):
    return ReadAhead(request=CompletionRequest(text=text, offset=len(text)))


def wait_until_idle(server):
    """Waits until all is answered, and until nothing more is read ahead for a while."""
    server.send(CheckHealth(id=9))
    server.receive()
    known = -1
    while known < len(CompleterDouble.ahead):
        known = len(CompleterDouble.ahead)
        time.sleep(0.1)


def wait_for_ahead(n):
    end = time.monotonic() + 10
    while len(CompleterDouble.ahead) < n and time.monotonic() < end:
        time.sleep(0.01)


def test_a_place_is_read_ahead_while_nothing_else_is_to_do(server):
    """If it fails, the first key at a new place waits until its surroundings are read."""
    load(server)
    server.send(read_ahead("here"))
    assert CompleterDouble.has_read.wait(10)
    assert CompleterDouble.ahead == [("here", "")]
    wait_until_idle(server)
    wait_until_idle(server)
    assert len(CompleterDouble.ahead) == 1  # once for each place: an idle worker sleeps


def test_a_request_interrupts_what_is_read_ahead(server):
    """If it fails, keys wait for something that nobody asked for."""
    load(server)
    server.send(read_ahead("long"))
    assert CompleterDouble.has_read.wait(10)
    server.ask(1, "a ")
    assert server.receive().result.suggestion.text == "a balanced"


def test_the_next_line_and_a_shown_block_are_read_after_an_answer(server):
    """If it fails, each line end that moves the window makes the next key slow."""
    load(server)
    server.ask(1, "  a:\n    b\n    c")
    shown = "  a:\n    b\n    cbalanced"
    server.receive()
    wait_for_ahead(2)
    wait_until_idle(server)
    before = "  a:\n    b\n    c"
    assert CompleterDouble.ahead == [(before + shown, ""), (before + "\n    ", "")]


def test_other_excerpts_are_read_before_the_next_key(server):
    """If it fails, the key after a look at other files waits until their text is read."""
    load(server)
    server.ask(1, "a")
    server.receive()
    wait_until_idle(server)
    del CompleterDouble.ahead[:]
    CompleterDouble.has_read.clear()
    server.send(UpdateWorkspace(snapshot=WorkspaceSnapshot(context_text="b ")))
    assert CompleterDouble.has_read.wait(10)
    assert CompleterDouble.ahead[0] == ("a", "b ")
    wait_until_idle(server)
    del CompleterDouble.ahead[:]
    names = frozenset({"n"})
    server.send(UpdateWorkspace(snapshot=WorkspaceSnapshot(context_text="b ", names=names)))
    wait_until_idle(server)
    assert CompleterDouble.ahead == []  # the model sees the same


def test_nothing_is_read_ahead_where_automatic_suggestions_may_be_paused(server):
    """If it fails, a request by hand on battery has more computed than was asked for."""
    server.send(Load(settings=Settings(pause_on_battery=True)))
    server.receive()
    request = CompletionRequest(text="a", offset=1, is_asked_for=True)
    server.send(Complete(id=1, request=request, quiet_s=0.0))
    server.receive()
    wait_until_idle(server)
    assert CompleterDouble.ahead == []


def test_a_request_is_cancelled_while_it_runs(server):
    """If it fails, each keystroke waits for the suggestion of the last one."""
    load(server)
    server.ask(1, "wait")
    server.ask(2, "x")
    assert CompleterDouble.has_begun.wait(10)
    server.send(Cancel(id=1))
    first, second = server.receive(), server.receive()
    assert (first.id, first.is_cancelled) == (1, True)
    assert (second.id, second.is_cancelled) == (2, False)


def test_a_request_that_was_cancelled_while_it_waited_is_not_begun(server):
    load(server)
    server.ask(1, "wait")
    assert CompleterDouble.has_begun.wait(10)
    server.ask(2, "fail")
    server.send(Cancel(id=2), Cancel(id=99), Cancel(id=1))
    server.receive()
    second = server.receive()
    assert (second.id, second.is_cancelled) == (2, True)  # it would have failed


def test_a_request_that_fails_does_not_end_the_worker(server, caplog):
    load(server)
    server.ask(1, "fail")
    assert server.receive() == Failed(id=1, error_type="KeyError")
    server.ask(2, "away")
    assert server.receive() == BackendUnavailable(id=2, reason="it is away", is_new=True)
    server.ask(3, "x")
    assert isinstance(server.receive(), Completed)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("damaged", "the model is damaged; train another"),
        ("strange", "cannot load the model (ZeroDivisionError); see the log for details"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_one_sentence(server, model, reason):
    """If it fails, the user sees a process that dies again and again."""
    assert load(server, model) == LoadFailed(reason=reason)
    server.ask(1, "x")
    assert server.receive().result.reason == "no model"
    server.send(CheckHealth(id=2))
    assert server.receive() == HealthReport(id=2, backend=None)
    assert isinstance(load(server), Ready)


def test_health_is_the_completers(server):
    load(server)
    server.send(CheckHealth(id=7))
    assert server.receive() == HealthReport(id=7, backend=BackendInfo(threads=2))


def test_the_worker_ends_with_its_stream_even_within_a_request(server):
    """If it fails, an editor that crashed leaves a busy process behind."""
    load(server)
    server.ask(1, "wait")
    assert CompleterDouble.has_begun.wait(10)
    server.sink.close()  # the fixture waits for the end


def test_a_broken_stream_ends_the_worker(server):
    server.sink.write(b"\xff\xff\xff\xff")
    server.sink.flush()
    server.thread.join(10)
    assert not server.thread.is_alive()


class MemoryDouble:
    """Remembers texts instead of tokens."""

    tokenizer_file = "/model/tokenizer.json"
    has_forgotten_files = False
    tokenizer_sha256 = ""

    def __init__(self):
        self.texts, self.indexes = {}, []

    def update_document(self, uri, text):
        self.texts[uri] = text

    def use_files(self, index, *, built):
        self.indexes.append((index, built))

    def forget_files(self):
        self.has_forgotten_files = True

    def recall(self, uri):
        return "".join(text for other, text in self.texts.items() if text and other != uri)

    def describe(self):
        return MemoryInfo(files=0, files_left_out=0, documents=1, tokens=1, age_s=None)


def test_requests_know_the_other_documents_as_they_are(server, monkeypatch, tmp_path):
    """If it fails, a line that was just written next door is not known, or one that is gone is."""
    memory = MemoryDouble()
    monkeypatch.setattr(CompleterDouble, "workspace_memory", memory)
    server.send(Load(settings=Settings()))
    assert server.receive().tokenizer == "/model/tokenizer.json"
    server.send(UpdateDocument(uri="a", text="<a>"), UpdateDocument(uri="b", text="<b>"))
    server.ask(1, "x")
    assert server.receive().result.suggestion.text.startswith("x<a><b>")
    server.send(UpdateDocument(uri="a", text=None))
    server.ask(2, "x")
    assert server.receive().result.suggestion.text.startswith("x<b>")
    server.send(UseIndex(folder=str(tmp_path)))  # nothing is in it
    server.send(CheckHealth(id=3))
    assert server.receive().backend.memory.documents == 1
    assert memory.indexes == []
    assert not memory.has_forgotten_files
    server.send(UseIndex(folder=""))
    server.send(CheckHealth(id=3))
    server.receive()
    assert memory.has_forgotten_files
    forgets = Settings(context=ContextSettings(workspace_memory=False))
    server.send(ChangeSettings(settings=forgets))
    server.ask(4, "x")
    assert not server.receive().result.suggestion.text.startswith("x<b>")


def test_an_index_by_another_tokenizer_is_not_used(server, monkeypatch, tmp_path, byte_tokenizer):
    """If it fails, each request after a change of the model fails, or suggests other words."""
    memory = MemoryDouble()
    monkeypatch.setattr(CompleterDouble, "workspace_memory", memory)
    load(server)
    (tmp_path / "a.py").write_text("alpha = 1\n")
    request = IndexRequest(roots=[tmp_path], private_globs=(), cache=tmp_path / "cache")
    folder = index_workspace(request, byte_tokenizer)
    for sha256, n_used in (("another", 0), (byte_tokenizer.sha256, 1)):
        memory.tokenizer_sha256 = sha256
        server.send(UseIndex(folder=str(folder)), CheckHealth(id=3))
        server.receive()
        assert len(memory.indexes) == n_used


def test_a_worker_starts_without_the_libraries_of_a_memory():
    """If it fails, the worker of a remote server takes memory and time for what it never uses."""
    program = (
        "import sys, server.worker.request_loop\n"
        "sys.exit(sorted({'numpy', 'torch', 'pydivsufsort'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert done.returncode == 0


@pytest.mark.integration
def test_a_model_answers_without_the_compiler(tiny_artifact):
    """If it fails, every start of the server imports for seconds what only trainings use."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from server.completer import Completer\n"
        "Completer.load(Path(sys.argv[1])).warm_up()\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tiny_artifact)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
