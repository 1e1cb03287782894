"""The run that others are held against: exact arithmetic, one process, never interrupted."""

import pytest
from hub_double import HubDouble
from training_run import finish, launch


@pytest.fixture(scope="session")
def config_file(tiny_config, tmp_path_factory):
    """The tiny run with exact arithmetic: float32, one thread."""
    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(f"extends = '{tiny_config}'\n[pretrain]\ndtype = 'float32'\n")
    return path


@pytest.fixture(scope="session")
def uninterrupted(config_file, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "whole"
    finish(launch(config_file, f"paths.run={run}"))
    return run


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The double; processes that a test starts take it for the Hub."""
    double = HubDouble()
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    for name, value in double.environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    yield double
    double.close()
