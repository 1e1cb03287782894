"""The service with a worker that is a double: requests, states, deaths, and what is recorded."""

import json
import threading
from types import SimpleNamespace
from typing import ClassVar

import pytest

from server.backends.backend import BackendInfo
from server.engine.generation_request import TokenUsage
from server.settings import EngineSettings, RemoteSettings, Settings, SuggestionSettings
from server.suggestion.event import Stage
from server.suggestion.explanation import COMPUTING, LOADING
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult, Suggestion
from server.worker.messages import (
    BackendUnavailable,
    Cancel,
    ChangeSettings,
    CheckHealth,
    Complete,
    Completed,
    Downloading,
    Failed,
    HealthReport,
    Load,
    LoadFailed,
    Ready,
    UpdateWorkspace,
)
from server.worker.process import supervisor
from server.worker.service import CompletionService
from server.worker.status import State
from server.workspace.snapshot import WorkspaceSnapshot


class ProcessDouble:
    """A worker that does nothing by itself."""

    started: ClassVar[list] = []

    def __init__(self, on_message, on_exit, *, preloads=False):
        self.on_message, self.on_exit, self.preloads = on_message, on_exit, preloads
        self.sent, self.is_closed, self.pid = [], False, len(self.started) + 1
        self.started.append(self)

    def send(self, message):
        self.sent.append(message)

    def close(self):
        self.is_closed = True

    def kinds(self):
        return [type(message) for message in self.sent]


@pytest.fixture(autouse=True)
def processes(monkeypatch):
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


def test_a_request_is_answered_and_recorded():
    started = Started()
    pending = started.submit()
    assert not pending.future.done()
    started.answer(pending, SHOWN)
    assert pending.future.result() == SHOWN
    assert started.service.event_of(pending).stage is Stage.SHOWN
    assert [state for state, _ in started.states] == ["starting", "ready", "busy", "idle"]


def test_requests_wait_for_the_model_behind_the_message_that_loads_it():
    """If it fails, the first suggestion after the start of an editor never comes."""
    started = Started(is_ready=False)
    pending = started.submit()
    assert started.process.kinds() == [Load, Complete]
    assert not pending.future.done()


def test_a_newer_request_supersedes_the_older_one_of_its_document_alone():
    """If it fails, typing fast queues up requests, or one file's typing ends another's."""
    started = Started()
    other, old = started.submit(document="b"), started.submit("x")
    new = started.submit("xy")
    assert old.future.result() is None
    assert started.service.event_of(old).stage is Stage.CANCELLED
    assert not other.future.done()
    assert not new.future.done()
    assert started.process.sent[-2:] == [
        Cancel(id=old.id),
        Complete(id=new.id, request=new.request, quiet_s=0.0),
    ]
    started.answer(old, SHOWN, is_cancelled=True)  # it was too late to stop it
    assert old.future.result() is None
    assert old.event.stage is Stage.CANCELLED
    assert not new.future.done()


def test_an_equal_request_is_not_sent_twice():
    """If it fails, what was computed ahead of an accepted suggestion is computed again."""
    started = Started()
    first = started.submit()
    assert started.submit() is first
    started.answer(first, SHOWN)
    assert started.submit() is first
    assert started.process.kinds().count(Complete) == 1
    started.service.change_settings(Settings(suggestion=SuggestionSettings(eagerness="quiet")))
    assert started.submit() is not first  # other settings, another answer


def test_an_equal_request_is_sent_again_if_the_first_one_failed():
    started = Started()
    first = started.submit()
    started.process.on_message(Failed(id=first.id, error_type="ValueError"))
    assert first.future.result() is None
    assert first.event.stage is Stage.FAILED
    assert "ValueError" in first.event.reason
    assert started.service.status.state is State.IDLE  # the next one may succeed
    assert started.submit() is not first


def test_cancelling_tells_the_worker_once():
    started = Started()
    pending = started.submit()
    started.service.cancel(pending)
    started.service.cancel(pending)
    started.service.supersede("a")
    assert pending.future.result() is None
    assert started.process.kinds().count(Cancel) == 1


def test_a_request_goes_on_while_somebody_waits_for_it():
    """If it fails, an editor that cancels one of two equal requests gets nothing for the other."""
    started = Started()
    first, second = started.submit(), started.submit()
    assert first is second
    started.service.cancel(first)
    assert not second.future.done()
    assert Cancel not in started.process.kinds()
    started.answer(second, SHOWN)
    assert second.future.result() == SHOWN


def test_a_request_that_nobody_waits_for_any_more_ends():
    started = Started()
    started.service.compute_ahead(CompletionRequest(text="x", offset=1, document="a"))
    pending = started.submit()
    assert started.process.kinds().count(Complete) == 1
    started.submit()
    started.service.cancel(pending)
    started.service.cancel(pending)
    assert pending.future.result() is None
    assert started.process.kinds().count(Cancel) == 1


def test_what_a_request_waits_for_can_be_told():
    """If it fails, "why is nothing shown" speaks of an older request while the model is loaded."""
    started = Started(is_ready=False)
    pending = started.submit()
    assert started.service.event_of(pending).reason == LOADING
    started.process.on_message(Ready(load_s=0.1))
    assert started.service.event_of(pending).reason == COMPUTING
    started.service.cancel(pending)
    assert started.service.event_of(pending).stage is Stage.CANCELLED


def test_half_a_surrogate_does_not_reach_the_worker():
    """If it fails, a tokenizer refuses the text, and each request in that file fails."""
    started = Started()
    pending = started.submit("a = '\ud800\U0001f600'")
    sent = started.process.sent[-1].request
    assert sent.text == "a = '\ufffd\U0001f600'"
    assert (sent.offset, len(sent.text)) == (pending.request.offset, len(pending.request.text))


def test_without_a_model_a_request_ends_at_once():
    """If it fails, an editor whose model is damaged waits for an answer at every keystroke."""
    started = Started(is_ready=False)
    waiting = started.submit()
    started.process.on_message(LoadFailed(reason="it is damaged"))
    assert waiting.future.result() is None
    assert started.states[-1] == (State.ERROR, "it is damaged")
    refused = started.submit("xy")
    assert refused.future.result() is None
    assert refused.event.reason == "no model"
    assert started.process.kinds().count(Complete) == 1
    assert started.service.check_health().result() is None


def test_a_worker_that_dies_is_replaced_with_its_settings_and_workspace():
    """If it fails, what kills the model ends all suggestions until the editor is restarted."""
    settings = Settings(model="owner/name")
    started = Started(settings)
    snapshot = WorkspaceSnapshot(context_text="x\n")
    started.service.update_workspace(snapshot)
    pending, health = started.submit(), started.service.check_health()
    started.process.on_exit("was killed (SIGKILL)")
    assert pending.future.result() is None
    assert health.result() is None
    assert pending.event.stage is Stage.FAILED
    assert "SIGKILL" in pending.event.reason
    state, reason = started.states[-1]
    assert state is State.STARTING
    assert "restarting" in reason
    assert len(ProcessDouble.started) == 2
    assert started.process.sent == [Load(settings=settings), UpdateWorkspace(snapshot=snapshot)]


def test_a_worker_that_keeps_dying_is_given_up_until_the_user_restarts_it():
    started = Started()
    for _ in range(4):
        started.process.on_exit("exited with code 1")
    assert len(ProcessDouble.started) == 4
    state, reason = started.states[-1]
    assert state is State.ERROR
    assert "4 times" in reason
    assert started.submit().future.result() is None
    started.service.restart()
    assert len(ProcessDouble.started) == 5
    assert not started.submit("xy").future.done()


def test_deaths_that_are_far_apart_are_not_counted_together(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=lambda: now[0]))
    started = Started()
    for _ in range(10):
        now[0] += 61
        started.process.on_exit("exited with code 1")
    assert started.states[-1][0] is State.STARTING


def test_settings_reach_the_worker_and_only_those_of_the_model_restart_it():
    """If it fails, a changed setting takes seconds, or has no effect."""
    started = Started()
    eager = Settings(suggestion=SuggestionSettings(eagerness="eager"))
    started.service.change_settings(eager)
    assert started.process.sent[-1] == ChangeSettings(settings=eager)
    pending = started.submit()
    threads = Settings(engine=EngineSettings(threads=1))
    started.service.change_settings(threads)
    assert len(ProcessDouble.started) == 2
    assert started.process.sent == [Load(settings=threads)]
    assert pending.future.result() is None


def test_a_worker_that_was_prepared_is_used_unless_the_model_is_elsewhere():
    service = CompletionService()
    service.prepare()
    service.start(Settings())
    assert [process.preloads for process in ProcessDouble.started] == [True]
    remote = CompletionService()
    remote.prepare()
    remote.start(REMOTE)
    assert [process.preloads for process in ProcessDouble.started] == [True, True, False]
    for thread in threading.enumerate():
        if thread.name == "worker shutdown":
            thread.join(10)
    assert ProcessDouble.started[1].is_closed


def test_a_remote_server_that_is_away_is_reported_once():
    """If it fails, each keystroke shows the same error."""
    started = Started(REMOTE)
    for is_new in (True, False):
        pending = started.submit(f"x{is_new}")
        started.process.on_message(
            BackendUnavailable(id=pending.id, reason="it is away", is_new=is_new)
        )
        assert pending.future.result() is None
        assert pending.event.reason == "it is away"
    assert started.states.count((State.ERROR, "it is away")) == 1


def test_a_download_is_reported():
    started = Started(Settings(model="owner/name"), is_ready=False)
    started.process.on_message(Downloading(done_bytes=1, total_bytes=4))
    assert started.states[-1] == (State.STARTING, "downloading owner/name: 25%")


def test_health_is_the_workers():
    started = Started()
    check = started.service.check_health()
    assert isinstance(started.process.sent[-1], CheckHealth)
    started.process.on_message(
        HealthReport(id=started.process.sent[-1].id, backend=BackendInfo(threads=2))
    )
    assert check.result() == BackendInfo(threads=2)


def test_an_answer_that_nobody_waits_for_is_ignored():
    started = Started()
    started.process.on_message(Completed(id=99, result=SHOWN, is_cancelled=False))
    started.process.on_message(Failed(id=99, error_type="ValueError"))
    assert started.states[-1] == (State.READY, None)


def test_closing_ends_everything():
    """If it fails, an editor that exits waits, or leaves a process behind."""
    started = Started()
    pending, health = started.submit(), started.service.check_health()
    started.service.close()
    assert started.process.is_closed
    assert pending.future.result() is None
    assert health.result() is None
    started.process.on_exit("exited with code 0")
    assert len(ProcessDouble.started) == 1


def test_events_are_written_in_order_and_counted_anew_in_another_file(tmp_path):
    started = Started(Settings(event_log=str(tmp_path / "first")))
    started.answer(started.submit("x", is_asked_for=True), SHOWN)
    started.service.withhold("private file", is_asked_for=False)
    started.service.change_settings(Settings(event_log=str(tmp_path / "second")))
    started.answer(started.submit("xyz"), SHOWN)
    started.service.close()
    first = [json.loads(line) for line in (tmp_path / "first").read_text().splitlines()]
    second = [json.loads(line) for line in (tmp_path / "second").read_text().splitlines()]
    assert [(event["request"], event["stage"]) for event in first] == [
        (1, "shown"),
        (2, "withheld"),
    ]
    assert [(event["request"], event["stage"]) for event in second] == [(1, "shown")]
    assert first[0]["needed_confidence"] == 0  # the user asked
    assert second[0]["needed_confidence"] > 0


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800"])
def test_an_event_log_that_cannot_be_written_is_one_warning(tmp_path, caplog, name):
    """If it fails, a strange name ends the thread that reads the worker's answers."""
    started = Started(Settings(event_log=f"{tmp_path}/{name}"))
    started.service.withhold("private file", is_asked_for=False)
    event = started.service.withhold("private file", is_asked_for=False)
    assert len(caplog.records) == 1
    assert event.request == 2


@pytest.mark.parametrize("offset", [0, 700_000, 2_000_000])
def test_a_very_long_document_is_cropped_around_the_cursor(offset):
    """If it fails, each keystroke in a data file sends megabytes, or the wrong lines."""
    line = "0123456789\n"
    text = line * 200_000
    request = CompletionRequest(text=text, offset=offset, document="a")
    started = Started()
    started.service.submit(request)
    sent = started.process.sent[-1].request
    assert len(sent.text) <= 2 * (1 << 16) * 9
    assert sent.text[sent.offset : sent.offset + 100] == text[offset : offset + 100]
    assert text[:offset].endswith(sent.text[: sent.offset])
    assert sent.offset == 0 or sent.text.startswith(line)
