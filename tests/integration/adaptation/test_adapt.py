"""A model is adapted to a repository: from the commit to the model that an editor uses."""

import json
import os
import random
import shutil
import threading
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pyarrow.parquet as pq
import pytest
from doubles.adaptation_double import read_own_modules
from doubles.forked_stages import AUDIT, ForkedStage
from doubles.repository_maker import git, make_repository

from parrotlet.adaptation.adapt_command import main as adapt
from parrotlet.adaptation.models_command import main as models
from parrotlet.adaptation.runner import run_adaptation
from parrotlet.pipeline import stage_runner
from parrotlet.pipeline.stage_runner import StageFailedError
from server.adaptation.adaptation_request import AdaptationRequest
from server.adaptation.adaptation_state import AdaptationState, Outcome, Phase, RunState
from server.adaptation.adaptations import Adaptation, find_adaptation, start_adaptation
from server.adaptation.adapted_models import create_model, find_model_for, list_models
from server.settings import Settings
from training.artifact.adaptation.adaptation_record import ADAPTATION_FILE, AdaptationRecord
from training.artifact.directory import load_artifact
from training.foundation.atomic_files import file_sha256

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]
SECRET = "AKIA" + "QYLPMN5HFIQR7BBB"  # of the shape of a key; no one's


def read_modules():
    files = read_own_modules(8)
    files["settings.py"] = f'KEY = "{SECRET}"\n' * 40
    files["my_secrets.py"] = "value = 'private text of mine'\n" * 40
    return files


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(ForkedStage, "started", [])
    return tmp_path / "data"


@pytest.fixture
def forked(monkeypatch):
    fork_stages(monkeypatch)


def fork_stages(patch):
    patch.setattr(stage_runner, "StageProcess", ForkedStage)
    patch.setattr(stage_runner, "_TICK_S", 0.02)


def request_of(folder, artifact):
    fast = {"pauses_on_battery": False, "pauses_while_typing": False, "yields": False}
    speed = {"tokens_per_s": 8000.0}  # which is never measured twice the same
    return AdaptationRequest(folder=folder, minutes=0.25, model=str(artifact), **fast, **speed)


def prepare(folder, artifact):
    """Returns what would be started, for a run in this process."""
    request = request_of(folder, artifact)
    model = create_model(folder, request.model)
    request.write(model.folder / "request.json")
    return model.folder


def keep_work(patch, target):
    """Moves the work of the next adaptation there, where it would be removed."""

    def keep(path, **_):
        if Path(path).name == "done" and Path(path).exists():
            Path(path).rename(target)

    patch.setattr("parrotlet.adaptation.runner.shutil.rmtree", keep)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_artifact):
    """A repository, and an adaptation to it that nothing has disturbed; its work is kept."""
    top = tmp_path_factory.mktemp("adapted")
    repository = make_repository(top / "project", read_modules())
    (top / "audit").mkdir()
    (top / "audit" / "sitecustomize.py").write_text(AUDIT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(top / "data"))
        patch.setattr(ForkedStage, "audit", str(top / "audit"))
        keep_work(patch, top / "kept")
        fork_stages(patch)
        folder = prepare(repository, tiny_artifact)
        run_adaptation(folder / "request.json")
    return SimpleNamespace(top=top, repository=repository, folder=folder)


def test_a_repository_becomes_a_model_that_is_used_there(
    finished, tiny_artifact, forked, tmp_path, capsys
):
    """If it fails, there is no model of one's own code, or an editor does not find it."""
    seen = (finished.top / "audit" / "connections.txt").read_text().splitlines()
    assert any("pretrain.py" in line for line in seen)
    assert [line for line in seen if not line.startswith("process ")] == []

    shutil.copytree(finished.top / "data", tmp_path / "data")
    (model,) = list_models()
    state = AdaptationState.read(model.folder)
    assert (state.state, state.outcome) == (RunState.FINISHED, Outcome.BETTER), state
    assert "fewer bits" in state.sentence
    assert Path(state.page).is_file()
    assert not (model.folder / "work").exists()

    served = Settings(model=str(tiny_artifact))
    artifact = find_model_for([finished.repository], served)
    loaded = load_artifact(artifact)
    record = AdaptationRecord.read(artifact / ADAPTATION_FILE)
    assert record.root_commit == record.commit == git(finished.repository, "rev-parse", "HEAD")
    assert record.files
    assert record.heldout
    assert "my_secrets.py" not in {*record.files, *record.heldout}
    assert loaded.manifest.training.config["pretrain"]["start_from"] == str(tiny_artifact)
    git(tmp_path, "clone", "-q", str(finished.repository), "cloned")
    cloned = tmp_path / "cloned"
    assert find_model_for([cloned], served) == artifact

    folder = prepare(cloned, tiny_artifact)
    assert folder == model.folder
    run_adaptation(folder / "request.json")
    state = AdaptationState.read(folder)
    assert state.outcome is Outcome.UNCHANGED
    assert find_model_for([cloned], served) == artifact
    assert models([]) == 0
    assert models(["compare", folder.name]) == 0
    assert "bits per byte, this repository" in capsys.readouterr().out
    assert models(["remove", folder.name]) == 0
    assert list_models() == []
    assert not folder.exists()


def test_on_general_code_the_model_is_held_to_the_one_before(finished):
    """If it fails, a model that learns a repository forgets what it could."""
    lines = (finished.top / "kept" / "run" / "metrics.jsonl").read_text().splitlines()
    steps = [event for event in map(json.loads, lines) if event["event"] == "step"]
    divergences = [step["divergence"] for step in steps if "divergence" in step]
    assert divergences[0] < 0.1 * max(divergences)  # it begins as its teacher
    texts = [step["loss"] for step in steps if {"loss_fim", "loss_left_to_right"} & step.keys()]
    assert max(divergences) < min(texts)


def test_however_often_it_is_adapted_it_is_held_to_the_model_it_began_with(
    finished, tiny_artifact, forked, tmp_path, monkeypatch
):
    """If it fails, each adaptation may forget as much again, and they add up."""
    shutil.copytree(finished.top / "data", tmp_path / "data")
    keep_work(monkeypatch, tmp_path / "kept")
    request = replace(request_of(finished.repository, tiny_artifact), is_wanted_again=True)
    folder = prepare(finished.repository, tiny_artifact)
    request.write(folder / "request.json")
    run_adaptation(folder / "request.json")

    record = AdaptationRecord.read(tmp_path / "kept" / ADAPTATION_FILE)
    assert Path(record.base) == folder / "artifacts" / "0001"
    assert record.is_renewed
    assert record.origin == str(tiny_artifact)
    assert record.origin_sha256 == file_sha256(tiny_artifact / "model.safetensors")
    run = tomllib.loads((tmp_path / "kept" / "run.toml").read_text())
    assert run["distil"]["teacher"] == str(tiny_artifact)
    first = json.loads((finished.top / "kept" / "before" / "general.json").read_text())
    assert json.loads((tmp_path / "kept" / "before" / "general.json").read_text()) == first
    bits, first_bits = (
        (top / "kept" / "before" / "bits.json").read_text() for top in (tmp_path, finished.top)
    )
    assert bits != first_bits  # but the repository's files are measured with the model in use


def test_a_secret_is_neither_learned_nor_kept(finished):
    """If it fails, a model that is shared gives away keys and private files."""
    files = [*finished.folder.rglob("*"), *(finished.top / "kept").rglob("*")]
    texts = [
        text
        for file in files
        if file.suffix == ".parquet" and file.parent.name in {"train", "heldout"}
        for text in pq.read_table(file, columns=["text"])["text"].to_pylist()
    ]
    assert any("class BaseEventLoop" in text for text in texts)
    assert not any(SECRET in text or "private text of mine" in text for text in texts)
    for file in files:
        if file.is_file() and file.suffix != ".parquet":
            assert SECRET.encode() not in file.read_bytes(), file
            assert b"private text of mine" not in file.read_bytes(), file


@pytest.mark.first_hour
def test_killed_at_random_moments_it_goes_on_to_the_same_end(finished, tiny_artifact, forked):
    """If it fails, a computer that is switched off ruins a model, or trains another one."""
    (expected,) = finished.folder.glob("artifacts/*/model.safetensors")
    folder, chance, n_kills = prepare(finished.repository, tiny_artifact), random.Random(7), 0
    served = Settings(model=str(tiny_artifact))
    while (state := AdaptationState.read(folder)) is None or state.outcome is None:
        killer = threading.Timer(chance.uniform(0.2, 2.5), kill_newest)
        if n_kills < 2:
            killer.start()
        try:
            run_adaptation(folder / "request.json")
        except StageFailedError:
            n_kills += 1
            assert find_model_for([finished.repository], served) is None
            assert AdaptationState.read(folder).state is RunState.FAILED
        finally:
            killer.cancel()
    assert n_kills > 0
    (found,) = folder.glob("artifacts/*/model.safetensors")
    assert file_sha256(found) == file_sha256(expected)


def kill_newest():
    for stage in ForkedStage.started[-1:]:
        if stage.poll() is None:
            stage.kill()


def test_without_its_process_it_is_interrupted_and_goes_on(tmp_path, tiny_artifact):
    """If it fails, what was started in an editor is lost with it, or trains on unseen."""
    repository = make_repository(tmp_path / "project", read_modules())
    adaptation = start_adaptation(request_of(repository, tiny_artifact))
    wait_until(lambda: list_children(adaptation))
    runner, children = find_process(adaptation), list_children(adaptation)
    assert os.getsid(runner.pid) == runner.pid  # the editor's end is not its end
    runner.suspend()
    runner.kill()
    wait_until(lambda: not any(map(is_there, children)))
    assert adaptation.read_state().state is RunState.INTERRUPTED
    adaptation.pause()
    assert not adaptation.go_on()
    adaptation.resume()
    wait_until(lambda: adaptation.read_state().state is RunState.RUNNING)
    assert adapt([str(repository), "--cancel"]) == 0
    wait_until(lambda: adaptation.read_state().state is RunState.CANCELLED)
    assert not (adaptation.folder / "work").exists()
    assert find_adaptation(repository).read_state().phase is Phase.DOCUMENTS


def find_process(adaptation: Adaptation):
    return psutil.Process(adaptation.read_state().pid)


def list_children(adaptation):
    try:
        return find_process(adaptation).children(recursive=True)
    except psutil.Error:
        return []


def is_there(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def wait_until(holds, timeout_s=100.0):
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_folder_with_too_little_is_declined(tmp_path, tiny_artifact, forked):
    make_repository(tmp_path / "small", {"a.py": "def double(x):\n    return 2 * x\n" * 20})
    folder = prepare(tmp_path / "small", tiny_artifact)
    run_adaptation(folder / "request.json")
    state = AdaptationState.read(folder)
    assert state.outcome is Outcome.TOO_LITTLE
    assert "the model stays as it is" in state.sentence
    assert list_models()[0].artifact is None
