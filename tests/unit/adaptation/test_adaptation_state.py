"""What an adaptation reports, and what it is told."""

import os
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from server.adaptation import adaptations
from server.adaptation.adaptation_request import AdaptationRequest
from server.adaptation.adaptation_state import (
    AdaptationState,
    Outcome,
    Phase,
    RunState,
    find_process_mark,
    find_start_time,
)
from server.adaptation.adaptations import (
    Adaptation,
    Control,
    discard_work,
    find_adaptation,
    note_typing,
    read_control,
    start_adaptation,
)
from server.adaptation.adapted_models import create_model
from server.settings import RemoteSettings, Settings
from training.foundation.errors import ConfigError, PrerequisiteError


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "parrotlet"


@pytest.fixture
def launched(monkeypatch):
    """Replaces the start of the process by taking note of it."""
    found = []
    monkeypatch.setattr(Adaptation, "launch", lambda self: found.append(self.model.name))
    return found


def state(**values):
    here = {"pid": os.getpid(), "pid_started": find_start_time(os.getpid())}
    return AdaptationState(**{"name": "w-00000000", "folder": "/w", **here, **values})


def test_a_state_is_read_as_it_was_written(tmp_path):
    written = state(phase=Phase.TRAINING, done=0.4, left_s=12.5, loss=1.5, step=3, steps=9)
    written.write(tmp_path)
    read = AdaptationState.read(tmp_path)
    assert read.updated > 0
    assert read == AdaptationState(**{**vars(written), "updated": read.updated})
    finished = state(state=RunState.FINISHED, outcome=Outcome.BETTER, pid=None)
    finished.write(tmp_path)
    assert AdaptationState.read(tmp_path).outcome is Outcome.BETTER
    assert read.to_json()["phase_text"] == "Training"


@pytest.mark.parametrize(
    ("pid", "at"),
    [(None, None), (1 << 22, 1.0), (os.getpid(), 1.0), (-7, 1.0), (1 << 80, 1.0)],
    ids=["none", "gone", "another", "negative", "large"],
)
def test_a_run_whose_process_is_gone_is_interrupted(tmp_path, pid, at):
    """If it fails, an editor shows for ever that a killed adaptation goes on."""
    state(pid=pid, pid_started=at).write(tmp_path)
    assert AdaptationState.read(tmp_path).state is RunState.INTERRUPTED
    state(pid=pid, pid_started=at, state=RunState.FINISHED).write(tmp_path)
    assert AdaptationState.read(tmp_path).state is RunState.FINISHED


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere starts do not move with the clock")
def test_a_run_goes_on_when_the_clock_is_set(tmp_path, monkeypatch):
    """If it fails, after a laptop's sleep a running adaptation seems interrupted: its cancel
    removes the files that it works on, and its resume starts a second one."""
    state(pid_mark=find_process_mark(os.getpid())).write(tmp_path)
    create_time, boot_time = psutil.Process.create_time, psutil.boot_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: create_time(self) + 3600)
    monkeypatch.setattr(psutil, "boot_time", lambda: boot_time() + 3600)
    found = AdaptationState.read(tmp_path)
    assert found.state is RunState.RUNNING
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as other:
        replace(found, pid=other.pid).write(tmp_path)
        assert AdaptationState.read(tmp_path).state is RunState.INTERRUPTED
        other.kill()


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"state": "odd"}', '{"name": 1}', "\xff", "{" * 100]
)
def test_a_damaged_state_is_none(tmp_path, text):
    (tmp_path / "state.json").write_text(text)
    assert AdaptationState.read(tmp_path) is None


def test_what_the_user_paused_does_not_go_on_by_itself(tmp_path, launched):
    """If it fails, a paused adaptation runs again as soon as an editor starts."""
    adaptation = Adaptation(create_model(tmp_path, ""))
    AdaptationRequest(folder=tmp_path).write(adaptation.folder / "request.json")
    assert not adaptation.go_on()  # it was never started
    state(pid=None).write(adaptation.folder)
    assert adaptation.go_on()
    adaptation.pause()
    assert read_control(adaptation.folder) is Control.PAUSE
    assert not adaptation.go_on()
    adaptation.resume()
    assert launched == [adaptation.model.name] * 2


def test_of_two_editors_one_goes_on_with_what_was_interrupted(tmp_path, monkeypatch):
    """If it fails, two processes are started, and the one that ends at once seems interrupted."""
    adaptation = Adaptation(create_model(tmp_path, ""))
    AdaptationRequest(folder=tmp_path).write(adaptation.folder / "request.json")
    state(pid=None).write(adaptation.folder)
    answers = []

    def launch(self):
        answers.append(Adaptation(self.model).go_on())  # the other editor, before it is written
        state().write(self.folder)

    monkeypatch.setattr(Adaptation, "launch", launch)
    assert adaptation.go_on()
    assert answers == [False]
    assert not adaptation.go_on()


def test_cancelling_what_is_not_running_removes_what_it_has_so_far(tmp_path, launched):
    adaptation = Adaptation(create_model(tmp_path, ""))
    (adaptation.folder / "work").mkdir()
    (adaptation.folder / "artifacts").mkdir()
    state(pid=None).write(adaptation.folder)
    adaptation.cancel()
    assert adaptation.read_state().state is RunState.CANCELLED
    assert not (adaptation.folder / "work").exists()
    assert (adaptation.folder / "artifacts").exists()
    assert not adaptation.go_on()
    assert launched == []


def test_starting_again_goes_on_with_what_runs(tmp_path, launched):
    """If it fails, two processes train the same model."""
    request = AdaptationRequest(folder=tmp_path, minutes=3)
    first = start_adaptation(request)
    state(folder=str(tmp_path)).write(first.folder)
    second = start_adaptation(AdaptationRequest(folder=tmp_path, minutes=4))
    assert first.folder == second.folder
    assert len(launched) == 1
    assert AdaptationRequest.read(first.folder / "request.json") == request
    assert find_adaptation(tmp_path) == second


def test_one_that_runs_waits_for_nothing_that_a_new_request_does_not_wait_for(tmp_path, launched):
    """If it fails, a run that is paused on battery stays so, whatever its user asks for."""
    first = start_adaptation(AdaptationRequest(folder=tmp_path, minutes=3))
    state(folder=str(tmp_path), state=RunState.PAUSED).write(first.folder)
    start_adaptation(AdaptationRequest(folder=tmp_path, minutes=4, pauses_on_battery=False))
    start_adaptation(AdaptationRequest(folder=tmp_path))  # only looks how it goes
    expected = AdaptationRequest(folder=tmp_path, minutes=3, pauses_on_battery=False)
    assert first.read_request() == expected
    assert len(launched) == 1


def test_a_start_waits_for_the_end_of_what_was_cancelled(tmp_path, launched, monkeypatch):
    """If it fails, the start that follows a cancel brings back, or ends as, what was cancelled."""
    first = start_adaptation(AdaptationRequest(folder=tmp_path, minutes=3))
    running = state(folder=str(tmp_path))
    running.write(first.folder)
    first.cancel()
    with monkeypatch.context() as patch:
        patch.setattr(adaptations, "_ENDING_S", 0)
        with pytest.raises(PrerequisiteError, match="has not ended yet; try again"):
            start_adaptation(AdaptationRequest(folder=tmp_path, minutes=4))
    assert read_control(first.folder) is Control.CANCEL
    monkeypatch.setattr(time, "sleep", lambda _: discard_work(first.folder, running))
    start_adaptation(AdaptationRequest(folder=tmp_path, minutes=4))
    assert first.read_request().minutes == 4
    assert read_control(first.folder) is Control.RUN
    assert len(launched) == 2


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="there is no folder"):
        start_adaptation(AdaptationRequest(folder=tmp_path / "none"))


def test_a_remote_model_is_not_adapted(tmp_path):
    remote = Settings(remote=RemoteSettings(url="http://gpu:8000"))
    with pytest.raises(ConfigError, match=r"remote\.url"):
        AdaptationRequest.of(tmp_path, remote)


def test_with_a_private_glob_that_cannot_be_read_nothing_is_adapted(tmp_path):
    """If it fails, a mistyped glob has private files learned for good."""
    with pytest.raises(ConfigError, match=r"private_globs: the pattern '\*\*/\{a,b' has a '\{'"):
        AdaptationRequest.of(tmp_path, Settings(private_globs=("x", "**/{a,b")))


def test_typing_is_noted_for_adaptations_that_run(data_folder, monkeypatch):
    """If it fails, an adaptation slows down the editor in which the user types."""
    monkeypatch.setattr(adaptations, "_noted", float("-inf"))
    note_typing()  # no adaptation ever ran: nothing is written
    assert not data_folder.exists()
    file = data_folder / "models" / "typing"
    file.parent.mkdir(parents=True)
    file.touch()
    os.utime(file, (0, 0))
    monkeypatch.setattr(adaptations, "_noted", float("-inf"))
    note_typing()
    assert time.time() - file.stat().st_mtime < 60
