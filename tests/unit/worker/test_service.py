"""The service with a worker that is a double: requests, states, deaths, and what is recorded."""

import json
from pathlib import Path

import pytest
from started_service import REMOTE, SHOWN, Started, replace_process

from server.backends.backend import BackendInfo
from server.settings import Settings, SuggestionSettings
from server.suggestion.event import Stage
from server.suggestion.explanation import COMPUTING, LOADING
from server.suggestion.request import CompletionRequest
from server.worker.messages import (
    BackendUnavailable,
    Cancel,
    CheckHealth,
    Complete,
    Completed,
    Downloading,
    Failed,
    HealthReport,
    Load,
    LoadFailed,
    Ready,
)
from server.worker.status import State
from server.workspace.snapshot import WorkspaceSnapshot


@pytest.fixture(autouse=True)
def processes(monkeypatch):
    return replace_process(monkeypatch)


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


@pytest.mark.parametrize(
    ("change", "is_news"),
    [
        (lambda service: service.update_document("b", "y = 1\n"), True),
        (lambda service: service.update_document("b", None), True),
        (lambda service: service.update_workspace(WorkspaceSnapshot(context_text="# b\n")), True),
        (lambda service: service.update_workspace(WorkspaceSnapshot()), False),
        (lambda service: service._indexing._on_index("/cache/1"), True),
        (lambda service: service._indexing._on_index(""), False),
    ],
)
def test_an_answer_that_does_not_know_other_files_is_not_given_again(change, is_news):
    """If it fails, asking again after a change next door brings the old suggestion."""
    started = Started()
    first = started.submit()
    change(started.service)
    assert started.submit() is first  # it is computed only once
    started.answer(first, SHOWN)
    assert first.future.result() == SHOWN
    again = started.submit()
    assert (again is first) != is_news
    started.answer(again, SHOWN)
    assert started.submit() is again


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


def test_a_remote_server_that_is_away_is_reported_once():
    """If it fails, each keystroke shows the same error."""
    started = Started(REMOTE)
    for is_new in (True, False):
        pending = started.submit(f"x{is_new}")
        started.process.on_message(
            BackendUnavailable(id=pending.id, reason="it is away", unquoted="away", is_new=is_new)
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


def test_what_a_remote_server_says_is_told_and_not_logged(tmp_path):
    """If it fails, code that a server repeats in its refusal is in a bug report."""
    log = tmp_path / "log"
    started = Started(Settings(event_log=str(log)))
    pending = started.submit()
    reason, unquoted = "it answered with status 422: password = 1", "it answered with status 422"
    started.process.on_message(
        BackendUnavailable(id=pending.id, reason=reason, unquoted=unquoted, is_new=True)
    )
    assert started.service.status.reason == reason
    assert started.service.event_of(pending).reason == reason
    started.service.close()
    assert json.loads(log.read_text())["reason"] == unquoted


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800"])
def test_an_event_log_that_cannot_be_written_is_one_warning(tmp_path, caplog, name):
    """If it fails, a strange name ends the thread that reads the worker's answers."""
    started = Started(Settings(event_log=f"{tmp_path}/{name}"))
    started.service.withhold("private file", is_asked_for=False)
    event = started.service.withhold("private file", is_asked_for=False)
    assert len(caplog.records) == 1
    assert event.request == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_settings_change_while_the_disk_is_full(tmp_path):
    """If it fails, another model is not loaded because of an event log."""
    started = Started(Settings(event_log="/dev/full"))
    started.service.withhold("private file", is_asked_for=False)
    started.service.change_settings(Settings(event_log=str(tmp_path / "log"), model="another"))
    assert started.process.sent[0].settings.model.endswith("another")
    started.service.withhold("private file", is_asked_for=False)
    started.service.close()
    assert (tmp_path / "log").read_text().count("\n") == 1


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
