"""A worker loop that runs, for the tests of its messages."""

import pytest
from loop_double import run_loop


@pytest.fixture
def server(monkeypatch):
    with run_loop(monkeypatch) as server:
        yield server
