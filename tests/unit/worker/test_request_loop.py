"""The worker's loop over real pipes, with a completer that is a double."""

import subprocess
import sys
import time

import pytest
from loop_double import CompleterDouble, load

from server.backends.backend import BackendInfo
from server.isolation import ROOT
from server.settings import Settings, SuggestionSettings
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult, Suggestion
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
    UpdateWorkspace,
)
from server.workspace.snapshot import WorkspaceSnapshot


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
    assert server.receive() == BackendUnavailable(
        id=2, reason="it is away: x = 1", unquoted="it is away", is_new=True
    )
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
