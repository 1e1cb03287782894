"""What `parrotlet adapt` asks of an adaptation, and what it says about one that has not ended."""

import os
import shutil
import time

import pytest

from parrotlet.adaptation import adapt_command
from server.adaptation.adaptation_request import AdaptationRequest
from server.adaptation.adaptation_state import AdaptationState, RunState, find_start_time
from server.adaptation.adaptations import Adaptation, discard_work, find_adaptation, is_same_plan
from server.adaptation.adapted_models import find_models_folder
from training.foundation.errors import ConfigError, PrerequisiteError


@pytest.fixture
def request_(tmp_path, monkeypatch):
    """A request for a model that nothing is made from."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "project").mkdir()
    return AdaptationRequest(folder=tmp_path / "project", model=str(tmp_path / "model"))


def test_options_that_are_not_taken_are_said(request_, monkeypatch, capsys):
    """If it fails, a user believes that files are left out of a training that reads them."""
    running = {"pid": os.getpid(), "pid_started": find_start_time(os.getpid())}
    state = AdaptationState(name="x", folder="/w", **running)
    monkeypatch.setattr(Adaptation, "launch", lambda self: state.write(self.folder))
    words = [str(request_.folder), "--model", request_.model, "--background"]
    assert adapt_command.main(words) == 0
    assert adapt_command.main(words) == 0
    assert capsys.readouterr().err == ""
    assert adapt_command.main([*words, "--private", "vault/**"]) == 0
    assert "other options" in capsys.readouterr().err


def test_a_running_one_takes_manners_and_says_which_it_cannot(request_, monkeypatch, capsys):
    """If it fails, a user waits for an end of the pause that never comes."""
    running = {"pid": os.getpid(), "pid_started": find_start_time(os.getpid())}
    state = AdaptationState(name="x", folder="/w", **running)
    monkeypatch.setattr(Adaptation, "launch", lambda self: state.write(self.folder))
    words = [str(request_.folder), "--background"]
    assert adapt_command.main([*words, "--model", request_.model, "--minutes", "30"]) == 0
    assert adapt_command.main([*words, "--on-battery"]) == 0
    assert capsys.readouterr().err == ""
    assert adapt_command.main([*words, "--full-speed"]) == 0
    assert "stays at low priority" in capsys.readouterr().err
    adaptation = find_adaptation(request_.folder)
    found = adaptation.read_request()
    assert (found.pauses_on_battery, found.pauses_while_typing, found.yields) == (False,) * 3
    for option in ("--on-battery", "--full-speed", "--again", "--private=x"):
        with pytest.raises(ConfigError, match="--resume takes no other options"):
            adapt_command.main([str(request_.folder), "--resume", option])
    adaptation.cancel()
    monkeypatch.setattr(time, "sleep", lambda _: discard_work(adaptation.folder, state))
    assert adapt_command.main([*words, "--model", request_.model]) == 0
    assert adaptation.read_request().minutes == AdaptationRequest.minutes


def test_an_interrupted_one_goes_on_with_its_options(request_, monkeypatch, capsys):
    """If it fails, half an hour of training is thrown away, or private files are trained on."""
    gone = AdaptationState(name="x", folder="/w", pid=1, pid_started=1.0)
    monkeypatch.setattr(Adaptation, "launch", lambda self: gone.write(self.folder))
    words = [str(request_.folder), "--background"]
    named = ["--model", request_.model, "--minutes", "30", "--private", "vault/**", "--again"]
    assert adapt_command.main([*words, *named]) == 0
    first = find_adaptation(request_.folder).read_request()
    assert (first.minutes, first.private_globs, first.model) == (30, ("vault/**",), request_.model)
    assert adapt_command.main([*words, "--full-speed"]) == 0
    again = find_adaptation(request_.folder).read_request()
    assert is_same_plan(again, first)
    assert not again.yields
    assert capsys.readouterr().err == ""
    assert adapt_command.main([*words, "--minutes", "40"]) == 0
    other = find_adaptation(request_.folder).read_request()
    assert (other.minutes, other.private_globs, other.yields) == (40, ("vault/**",), True)
    assert "begins anew" in capsys.readouterr().err


def test_a_folder_within_an_interrupted_one_has_options_of_its_own(request_, monkeypatch, capsys):
    """If it fails, one folder is adapted to with what was asked for another."""
    gone = AdaptationState(name="x", folder="/w", pid=1, pid_started=1.0)
    monkeypatch.setattr(Adaptation, "launch", lambda self: gone.write(self.folder))
    inner = request_.folder / "inner"
    inner.mkdir()
    words = ["--model", request_.model, "--background"]
    assert adapt_command.main([str(request_.folder), *words, "--minutes", "30"]) == 0
    assert adapt_command.main([str(inner), *words]) == 0
    assert find_adaptation(inner).read_request().minutes == AdaptationRequest.minutes
    assert capsys.readouterr().err == ""


def test_whoever_follows_one_that_is_removed_is_told(request_, monkeypatch):
    """If it fails, `parrotlet adapt` shows nothing and never ends."""
    running = {"pid": os.getpid(), "pid_started": find_start_time(os.getpid())}
    state = AdaptationState(name="x", folder="/w", **running)
    monkeypatch.setattr(Adaptation, "launch", lambda self: state.write(self.folder))
    looks = []

    def wait(_):
        looks.append(1)
        assert len(looks) < 9
        shutil.rmtree(find_models_folder(), ignore_errors=True)

    monkeypatch.setattr(time, "sleep", wait)
    with pytest.raises(PrerequisiteError, match="was removed"):
        adapt_command.main([str(request_.folder), "--model", request_.model])


def test_after_a_failure_only_the_named_options_count(request_, monkeypatch, capsys):
    """If it fails, what made an adaptation fail cannot be left out the next time."""
    failed = AdaptationState(name="x", folder="/w", state=RunState.FAILED)
    monkeypatch.setattr(Adaptation, "launch", lambda self: failed.write(self.folder))
    words = [str(request_.folder), "--model", request_.model, "--background"]
    assert adapt_command.main([*words, "--heldout-share", "0.5"]) == 0
    assert adapt_command.main(words) == 0
    found = find_adaptation(request_.folder).read_request()
    assert found.heldout_share == AdaptationRequest.heldout_share
    assert capsys.readouterr().err == ""
