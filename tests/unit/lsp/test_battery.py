"""Nothing is suggested on battery, if the user wants that."""

from types import SimpleNamespace

import psutil
import pytest

from server.lsp.battery import Power


def Battery(percent, secsleft, *, power_plugged):  # noqa: N802 - psutil's own name
    return SimpleNamespace(percent=percent, secsleft=secsleft, power_plugged=power_plugged)


@pytest.mark.parametrize(
    ("battery", "is_on_battery"),
    [
        (None, False),
        (Battery(80, 100, power_plugged=True), False),
        (Battery(80, 100, power_plugged=False), True),
        (Battery(80, 100, power_plugged=None), False),
    ],
)
def test_a_battery_without_mains_counts(monkeypatch, battery, is_on_battery):
    asked = []
    monkeypatch.setattr(
        psutil, "sensors_battery", lambda: asked.append(1) or battery, raising=False
    )
    power = Power()
    assert [power.is_on_battery() for _ in range(5)] == [is_on_battery] * 5
    assert len(asked) == 1  # not at each key


def test_a_system_that_does_not_tell_has_mains(monkeypatch):
    def fails():
        raise OSError("no such file")

    monkeypatch.setattr(psutil, "sensors_battery", fails, raising=False)
    assert not Power().is_on_battery()


async def test_a_paused_server_answers_who_asks_and_tells_why(monkeypatch):
    """If it fails, ghost text drains the battery, or is off without a word."""
    from lsprotocol import types

    from server.lsp.documents.text_document import Document
    from server.lsp.server import PAUSED, Server
    from server.settings import Settings
    from server.suggestion.explanation import ON_BATTERY
    from server.worker.service import State

    told, asked, withheld = [], [], []
    service = SimpleNamespace(
        state=State.IDLE,
        tell_state=lambda state, reason: told.append((state, reason)),
        submit=lambda request, **_: asked.append(request) or pytest.fail("asked"),
        tell=lambda known: None,
        withhold=lambda reason, **_: withheld.append(reason),
    )
    server = Server({}, service)
    server.protocol.server_capabilities = types.ServerCapabilities()
    server.settings = Settings(pause_on_battery=True)
    monkeypatch.setattr(server._power, "is_on_battery", lambda: True)
    server.documents["file:///a.py"] = Document("x", 1)
    at = types.Position(0, 1)
    assert await server.suggest("file:///a.py", at) == []
    assert told == [(State.OFF, PAUSED)]
    assert withheld == [ON_BATTERY]
    with pytest.raises(pytest.fail.Exception):
        await server.suggest("file:///a.py", at, is_asked_for=True)
    monkeypatch.setattr(server._power, "is_on_battery", lambda: False)
    server.service.state = State.OFF
    with pytest.raises(pytest.fail.Exception):
        await server.suggest("file:///a.py", at)
    assert told[-1] == (State.IDLE, None)
