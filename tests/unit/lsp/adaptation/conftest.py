"""Adaptations are looked at often, and lie in the test's own folder."""

import pytest

from server.lsp.adaptation import adaptation_watch


@pytest.fixture(autouse=True)
def _quick(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(adaptation_watch, "_RUNNING_INTERVAL_S", 0.01)
    monkeypatch.setattr(adaptation_watch, "_RESTING_INTERVAL_S", 0.02)
