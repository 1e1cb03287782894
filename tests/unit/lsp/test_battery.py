"""Automatic suggestions pause while on battery, if the user wants that."""

from types import SimpleNamespace

import psutil
import pytest

from server.lsp.battery import PAUSED, BatteryPause
from server.power_supply import Battery
from server.settings import Settings
from server.worker.status import State, Status


def sbattery(percent, secsleft, *, power_plugged):
    return SimpleNamespace(percent=percent, secsleft=secsleft, power_plugged=power_plugged)


@pytest.mark.parametrize(
    ("battery", "is_discharging"),
    [
        (None, False),
        (sbattery(80, 100, power_plugged=True), False),
        (sbattery(80, 100, power_plugged=False), True),
        (sbattery(80, 100, power_plugged=None), False),
    ],
)
def test_only_a_battery_without_external_power_counts(monkeypatch, battery, is_discharging):
    calls = []
    monkeypatch.setattr(
        psutil, "sensors_battery", lambda: calls.append(1) or battery, raising=False
    )
    found = Battery()
    assert [found.is_discharging() for _ in range(5)] == [is_discharging] * 5
    assert len(calls) == 1  # not at each keystroke


def test_a_system_that_reports_nothing_counts_as_plugged_in(monkeypatch):
    def fail():
        raise OSError("no such file")

    monkeypatch.setattr(psutil, "sensors_battery", fail, raising=False)
    assert not Battery().is_discharging()


def make_pause(monkeypatch, *, state, is_discharging, pause_on_battery=True):
    configuration = SimpleNamespace(settings=Settings(pause_on_battery=pause_on_battery))
    status, reported = Status(), []
    status.state = state
    status.on_change = lambda state, reason: reported.append((state, reason))
    pause = BatteryPause(configuration, status)
    monkeypatch.setattr(pause._battery, "is_discharging", lambda: is_discharging)
    return pause, reported


def test_a_pause_is_reported_once_when_it_begins_and_once_when_it_ends(monkeypatch):
    """If it fails, suggestions are off without a word, or every keystroke sends a status."""
    pause, reported = make_pause(monkeypatch, state=State.IDLE, is_discharging=True)
    assert [pause.is_active(), pause.is_active()] == [True, True]
    assert reported == [(State.OFF, PAUSED)]
    monkeypatch.setattr(pause._battery, "is_discharging", lambda: False)
    assert [pause.is_active(), pause.is_active()] == [False, False]
    assert reported == [(State.OFF, PAUSED), (State.IDLE, None)]


@pytest.mark.parametrize("state", [State.STARTING, State.ERROR])
def test_a_pause_does_not_hide_a_model_that_is_loading_or_missing(monkeypatch, state):
    pause, reported = make_pause(monkeypatch, state=state, is_discharging=True)
    assert pause.is_active()
    assert reported == []


def test_by_default_nothing_is_paused(monkeypatch):
    pause, reported = make_pause(
        monkeypatch, state=State.IDLE, is_discharging=True, pause_on_battery=False
    )
    assert not pause.is_active()
    assert reported == []
