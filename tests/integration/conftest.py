"""The run that others are held against: exact arithmetic, one process, never interrupted."""

import pytest
from doubles.hub_double import HubDouble
from lsp_client import Client
from sandbox_levels import best_level, need_level
from training_run import finish, launch

from evaluation.judge.levels.ranking import LEVELS


@pytest.fixture(scope="session")
def config_file(tiny_config, tmp_path_factory):
    """The tiny run with exact arithmetic: float32, one thread."""
    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(f"extends = '{tiny_config}'\n[pretrain]\ndtype = 'float32'\n")
    return path


@pytest.fixture(scope="session")
def uninterrupted(config_file, build_once):
    """The whole run, by the documented command with the launcher's config for one process."""
    train = lambda folder: finish(launch(config_file, f"paths.run={folder / 'whole'}"))  # noqa: E731
    return build_once("runs", train) / "whole"


@pytest.fixture(scope="session")
def best():
    """The best level of isolation that holds on this machine."""
    return best_level()


@pytest.fixture(scope="module", params=LEVELS, ids=lambda isolation: isolation.name)
def level(request):
    """Each level of isolation that holds on this machine."""
    need_level(request.param)
    return request.param


@pytest.fixture
def proven(best, monkeypatch):
    """pass@k takes the best level without proving it again; ``test_judge_levels`` has it do so."""
    monkeypatch.setattr("evaluation.passk.pipeline.select_level", lambda *_, **__: best)
    return best


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The double; processes that a test starts take it for the Hub."""
    double = HubDouble()
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    for name, value in double.environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    yield double
    double.close()


@pytest.fixture
def log(tmp_path):
    """Where the server of ``client`` writes its events."""
    return tmp_path / "events.jsonl"


@pytest.fixture
def client(tiny_artifact, log, tmp_path, monkeypatch):
    """A server with the tiny model, and a client of it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with Client("--model", tiny_artifact, "--event-log", log) as client:
        yield client
