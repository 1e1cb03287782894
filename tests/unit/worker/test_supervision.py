"""A worker that dies, does not answer or cannot be started, and settings that need another."""

import threading
from types import SimpleNamespace

import pytest
from started_service import REMOTE, ProcessDouble, Started, replace_process

from server.settings import EngineSettings, Settings, SuggestionSettings
from server.suggestion.event import Stage
from server.worker.messages import (
    ChangeSettings,
    Load,
    LoadFailed,
    Ready,
    UpdateDocument,
    UpdateWorkspace,
)
from server.worker.process import supervisor
from server.worker.process.watchdog import FROZEN, LOOPING
from server.worker.service import CompletionService
from server.worker.status import State
from server.workspace.snapshot import WorkspaceSnapshot


@pytest.fixture(autouse=True)
def processes(monkeypatch):
    return replace_process(monkeypatch)


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


@pytest.mark.parametrize("how", [FROZEN, LOOPING])
def test_a_worker_that_does_not_answer_is_replaced_and_the_user_is_told(how):
    """If it fails, suggestions end for a while, and nobody knows why."""
    started, warnings = Started(), []
    started.service.status.on_warning = warnings.append
    pending = started.submit()
    started.process.on_exit(how)
    assert how in pending.event.reason
    assert len(warnings) == 1
    assert how in warnings[0]
    assert len(ProcessDouble.started) == 2
    started.process.on_exit("was killed (SIGKILL)")  # by the user, who knows
    assert len(warnings) == 1


def test_a_worker_that_cannot_be_started_is_reported(monkeypatch):
    """If it fails, a machine without free processes has no suggestions and no word."""
    started = Started()

    def refuse(*_, **__):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(supervisor, "WorkerProcess", refuse)
    started.process.on_exit("was killed (SIGKILL)")
    state, reason = started.states[-1]
    assert state is State.ERROR
    assert "Resource temporarily unavailable" in reason
    assert started.submit().future.result() is None


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


@pytest.fixture
def now(monkeypatch):
    """The time; tests set it."""
    now = [0.0]
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_deaths_that_are_far_apart_are_not_counted_together(now):
    started = Started()
    for _ in range(10):
        now[0] += 61
        started.process.on_exit("exited with code 1")
        assert started.states[-1][0] is State.STARTING
        started.process.on_message(Ready(load_s=0.1))


def test_a_worker_that_is_never_ready_is_given_up_however_slowly_it_dies(now):
    """If it fails, a model that cannot be loaded brings a notification each minute for ever."""
    started, warnings = Started(), []
    started.service.status.on_warning = warnings.append
    for _ in range(4):
        now[0] += 90
        started.process.on_exit(FROZEN)
    assert len(ProcessDouble.started) == 5  # the first one had been ready
    now[0] += 90
    started.process.on_exit(FROZEN)
    assert len(ProcessDouble.started) == 5
    state, reason = started.states[-1]
    assert state is State.ERROR
    assert "4 times" in reason
    assert len(warnings) == 5
    started.service.restart()
    now[0] += 90
    started.process.on_exit(FROZEN)
    assert started.states[-1][0] is State.STARTING  # it counts anew


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


def test_a_worker_that_is_replaced_says_nothing_of_the_next_ones_model(monkeypatch):
    """If it fails, a model that cannot be loaded ends all suggestions after it was replaced."""
    started = Started()
    before = started.process
    monkeypatch.setattr(threading.Thread, "start", lambda _: None)  # it is closed later
    started.service.change_settings(Settings(model="owner/name"))
    assert started.process is not before
    assert (before.is_muted, before.is_closed) == (True, False)
    assert not started.process.is_muted


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


def test_a_model_adapted_to_the_workspace_is_loaded_instead_of_the_settings_own():
    """If it fails, an adapted model is never used, or the old one is when the worker dies."""
    settings = Settings(model="owner/name")
    started = Started(settings)
    started.service.use_workspace_model("/adapted")
    assert len(ProcessDouble.started) == 2
    assert started.process.sent == [Load(settings=Settings(model="/adapted"))]
    started.service.use_workspace_model("/adapted")
    assert len(ProcessDouble.started) == 2  # not loaded twice
    started.process.on_exit("was killed (SIGKILL)")
    assert started.process.sent == [Load(settings=Settings(model="/adapted"))]
    started.service.use_workspace_model("")
    assert started.process.sent == [Load(settings=settings)]


def test_an_adapted_model_that_cannot_be_loaded_leaves_the_settings_own():
    """If it fails, one damaged file of an adaptation ends all suggestions in its workspace."""
    settings, warnings = Settings(model="owner/name"), []
    started = Started(settings)
    started.service.status.on_warning = warnings.append
    started.service.use_workspace_model("/adapted")
    assert started.service.uses_workspace_model
    started.process.on_message(LoadFailed(reason="/adapted/config.json is damaged"))
    assert started.process.sent == [Load(settings=settings)]
    assert not started.service.uses_workspace_model
    assert len(warnings) == 1
    assert "/adapted/config.json is damaged" in warnings[0]
    started.process.on_message(Ready(load_s=0.1))
    assert started.states[-1] == (State.READY, None)
    started.service.use_workspace_model("/adapted")  # as with each change of settings
    assert started.process.sent == [Load(settings=settings)]
    started.service.restart()  # by the user, who may have repaired it
    assert started.process.sent == [Load(settings=Settings(model="/adapted"))]


def test_an_adapted_model_that_kills_the_worker_leaves_the_settings_own():
    """If it fails, an adaptation too large for the machine ends all suggestions there."""
    settings, warnings = Settings(model="owner/name"), []
    started = Started(settings)
    started.service.status.on_warning = warnings.append
    started.service.use_workspace_model("/adapted")
    for _ in range(3):  # a model that was ready once is worth another attempt
        started.process.on_message(Ready(load_s=0.1))
        started.process.on_exit("was killed (SIGKILL)")
        assert started.process.sent == [Load(settings=Settings(model="/adapted"))]
    started.service.restart()
    started.process.on_exit("was killed (SIGKILL)")
    assert started.process.sent == [Load(settings=Settings(model="/adapted"))]
    assert warnings == []
    started.process.on_exit("was killed (SIGKILL)")
    assert started.process.sent == [Load(settings=settings)]
    assert not started.service.uses_workspace_model
    assert len(warnings) == 1
    assert "the model's process was killed (SIGKILL)" in warnings[0]


def test_a_settings_own_model_that_cannot_be_loaded_is_an_error():
    """If it fails, a missing model is loaded again and again."""
    started = Started(Settings(model="owner/name"))
    started.service.use_workspace_model("/adapted")
    started.process.on_message(LoadFailed(reason="it is damaged"))
    started.process.on_message(LoadFailed(reason="it is missing"))
    assert started.states[-1] == (State.ERROR, "it is missing")
    assert len(ProcessDouble.started) == 3


def test_a_remote_server_is_not_replaced_by_an_adapted_model():
    started = Started(REMOTE)
    started.service.use_workspace_model("/adapted")
    assert started.process.sent == [Load(settings=REMOTE)]


def test_the_first_model_that_is_loaded_is_the_adapted_one():
    """If it fails, each start of an editor loads two models."""
    service = CompletionService()
    service.use_workspace_model("/adapted")
    service.start(Settings())
    assert len(ProcessDouble.started) == 1
    assert ProcessDouble.started[0].sent == [Load(settings=Settings(model="/adapted"))]


def test_a_document_may_change_while_another_worker_is_given_all_of_them(monkeypatch):
    """If it fails, a key at the wrong moment leaves the server "starting" for ever."""
    started = Started()
    for uri in ("a", "b"):
        started.service.update_document(uri, "x")
    send, changing = ProcessDouble.send, []

    def change_meanwhile(process, message):
        send(process, message)
        if isinstance(message, UpdateDocument) and not changing:
            changing.append(
                threading.Thread(target=started.service.update_document, args=("c", "x"))
            )
            changing[0].start()
            changing[0].join(0.2)  # it waits, or is done

    monkeypatch.setattr(ProcessDouble, "send", change_meanwhile)
    started.service.restart()
    changing[0].join()
    sent = [message.uri for message in started.process.sent if isinstance(message, UpdateDocument)]
    assert sent == ["a", "b", "c"]
