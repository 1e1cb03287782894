"""The process of an adaptation: what it goes on with, and what it says when it fails."""

import os
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from accelerate.commands import launch as accelerate_launch
from accelerate.commands.config import config_args
from accelerate.utils.launch import prepare_simple_launcher_cmd_env
from doubles.repository_maker import git, make_repository

from parrotlet.adaptation.adaptation_stages import AdaptationStages
from parrotlet.adaptation.models_command import main as models
from parrotlet.adaptation.runner import run_adaptation
from parrotlet.pipeline import conditions, stage_runner
from parrotlet.pipeline.stage_runner import StageFailedError
from server.adaptation.adaptation_request import AdaptationRequest
from server.adaptation.adaptation_state import (
    AdaptationState,
    Outcome,
    RunState,
    find_start_time,
)
from server.adaptation.adaptations import (
    Adaptation,
    find_adaptation,
    start_adaptation,
)
from server.adaptation.adapted_models import (
    PAGE_FILE,
    RESULT_FILE,
    AdaptedModel,
    create_model,
    find_model_for,
)
from server.backends import model_store
from server.power_supply import Battery
from server.settings import Settings
from training import launch
from training.artifact.adaptation.adaptation_record import ADAPTATION_FILE, AdaptationRecord
from training.foundation.atomic_files import file_sha256, write_json_atomically
from training.foundation.config_schema import to_mapping
from training.foundation.errors import PrerequisiteError


def run_here(adaptation):
    """Takes the place of ``launch``: the process is this one."""
    here = {"pid": os.getpid(), "pid_started": find_start_time(os.getpid())}
    AdaptationState(name=adaptation.model.name, folder="/w", **here).write(adaptation.folder)
    run_adaptation(adaptation.folder / "request.json")


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(Adaptation, "launch", run_here)
    monkeypatch.setattr(stage_runner, "_TICK_S", 0.0)
    monkeypatch.setattr(conditions, "START_FREE_BYTES", 0)


@pytest.fixture
def results(monkeypatch):
    """What the plan and the judgement say, which stage fails, and which were started."""
    results = SimpleNamespace(
        record=AdaptationRecord(items=1), outcome=Outcome.BETTER, failing="", started=[]
    )

    class Process:
        pid, is_stopped = 1, False

        def __init__(self, words, _log, _folder=""):
            results.started.append(words)
            self.stage, named = words[0], dict(pairwise(words))
            if self.stage == "adapt-plan":
                record = to_mapping(results.record)
                write_json_atomically(Path(named["--work"], ADAPTATION_FILE), record)
            elif self.stage == "adapt-assemble":
                Path(named["--out"]).mkdir()
            elif self.stage == "adapt-judge":
                result = {"outcome": results.outcome, "sentence": "It was measured."}
                Path(named["--out"]).mkdir()
                write_json_atomically(Path(named["--out"], RESULT_FILE), result)
                Path(named["--out"], PAGE_FILE).touch()

        def poll(self):
            return 3 if self.stage == results.failing else 0

        def read_last_line(self):
            return "error: the disk is full"

    monkeypatch.setattr(stage_runner, "StageProcess", Process)
    return results


@pytest.fixture
def stages(results):
    """The stages that were started: the plan is made, the corpus fails."""
    results.failing = "corpus"
    return results.started


@pytest.fixture
def request_(tmp_path, tiny_artifact):
    (tmp_path / "project").mkdir()
    fast = {"pauses_on_battery": False, "pauses_while_typing": False, "yields": False}
    return AdaptationRequest(folder=tmp_path / "project", model=str(tiny_artifact), **fast)


def base_of(words):
    return words[words.index("--base") + 1]


def fail(request):
    with pytest.raises(StageFailedError, match="the disk is full"):
        start_adaptation(request)


def test_what_is_planned_is_used_for_the_same_options_alone(
    stages, request_, tiny_artifact, tmp_path
):
    """If it fails, whoever leaves out private files after a failure trains on them anyway."""
    fail(request_)
    fail(request_)
    fail(replace(request_, yields=True))
    assert [words[0] for words in stages] == ["adapt-plan", "corpus", "corpus", "corpus"]
    shutil.copytree(tiny_artifact, tmp_path / "other")
    others = {
        "private_globs": ("vault/**",),
        "model": str(tmp_path / "other"),
        "minutes": 5.0,
        "heldout_share": 0.3,
        "is_wanted_again": True,
    }
    for name, value in others.items():
        del stages[:]
        fail(replace(request_, **{name: value}))
        plan, _ = stages
        assert plan[0] == "adapt-plan", name
        if name == "private_globs":
            assert "--private=vault/**" in plan
        if name == "model":
            assert plan[plan.index("--base") + 1] == str(tmp_path / "other")


@pytest.mark.parametrize("file", ["model.safetensors", "parrotlet.json", ADAPTATION_FILE])
@pytest.mark.parametrize("is_gone", [True, False])
def test_a_damaged_adapted_model_is_adapted_again_from_the_base(
    stages, request_, tiny_artifact, file, is_gone
):
    """If it fails, users are told to adapt again, which fails until they remove the model."""
    model = create_model(request_.folder, request_.model)
    adapted = model.folder / "artifacts" / "0001"
    shutil.copytree(tiny_artifact, adapted)
    origin_sha256 = file_sha256(tiny_artifact / "model.safetensors")
    record = AdaptationRecord(origin_sha256=origin_sha256, items=1)
    write_json_atomically(adapted / ADAPTATION_FILE, to_mapping(record))
    model.update(version="0001", base=request_.model)
    fail(request_)
    assert base_of(stages[0]) == str(adapted)
    (adapted / file).unlink()
    if not is_gone:
        (adapted / file).write_text("damaged")
    del stages[:]
    fail(request_)  # what was planned is of no use any more
    fail(request_)  # what is planned now is
    assert [words[0] for words in stages] == ["adapt-plan", "corpus", "corpus"]
    assert base_of(stages[0]) == str(tiny_artifact)


def test_what_has_become_private_is_not_in_the_next_model(results, request_, tiny_artifact):
    """If it fails, a file that a user declares private stays in every model made from then on."""
    model = create_model(request_.folder, request_.model)
    adapted = model.folder / "artifacts" / "0001"
    shutil.copytree(tiny_artifact, adapted)
    origin_sha256 = file_sha256(tiny_artifact / "model.safetensors")
    record = AdaptationRecord(origin_sha256=origin_sha256, files={"a.py": "1", "vault/b.py": "2"})
    write_json_atomically(adapted / ADAPTATION_FILE, to_mapping(record))
    model.update(version="0001", base=request_.model)
    bases = {("other/**",): adapted, ("vault/",): tiny_artifact}
    bases[str(request_.folder / "vault/*"),] = tiny_artifact
    for globs, base in bases.items():
        del results.started[:]
        results.outcome = Outcome.NO_BETTER
        start_adaptation(replace(request_, private_globs=globs))
        assert base_of(results.started[0]) == str(base)
        sentence = Adaptation(model).read_state().sentence
        assert ("private now" in sentence) == (base == tiny_artifact)


@pytest.mark.parametrize("what", ["moved", "changed", "plan"])
def test_what_was_planned_with_an_earlier_server_is_planned_anew(
    stages, results, request_, tiny_artifact, tmp_path, monkeypatch, what
):
    """If it fails, an update of the server during an adaptation makes all later ones fail."""
    model = tmp_path / "old"
    shutil.copytree(tiny_artifact, model)
    monkeypatch.setattr(model_store, "BUNDLED_MODEL", model)
    sha256 = file_sha256(model / "model.safetensors")
    results.record = AdaptationRecord(items=1, base_sha256=sha256, origin_sha256=sha256)
    request = replace(request_, model="")
    fail(request)
    fail(request)
    assert [words[0] for words in stages] == ["adapt-plan", "corpus", "corpus"]
    if what == "moved":
        model = model.rename(tmp_path / "new")
        monkeypatch.setattr(model_store, "BUNDLED_MODEL", model)
    elif what == "changed":
        (model / "model.safetensors").write_bytes(b"newer weights")
    else:
        (find_adaptation(request.folder).folder / "work" / ADAPTATION_FILE).write_text("damaged")
    del stages[:]
    fail(request)
    assert [words[0] for words in stages] == ["adapt-plan", "corpus"]
    assert base_of(stages[0]) == str(model)


def test_what_failed_is_planned_anew_once_the_repository_has_moved_on(stages, results, request_):
    """If it fails, a repository whose code made it fail fails until it is cancelled, though the
    user has mended that, or has removed the commit that was planned."""
    make_repository(request_.folder, {"a.py": "x = 1\n"})
    results.record = AdaptationRecord(items=1, commit=git(request_.folder, "rev-parse", "HEAD"))
    fail(request_)
    fail(request_)
    assert [words[0] for words in stages] == ["adapt-plan", "corpus", "corpus"]
    git(request_.folder, "commit", "-q", "--amend", "-m", "rewritten")
    del stages[:]
    fail(request_)
    assert [words[0] for words in stages] == ["adapt-plan", "corpus"]
    results.record = AdaptationRecord(items=1, commit=git(request_.folder, "rev-parse", "HEAD"))
    results.failing = "pretrain"
    fail(request_)
    git(request_.folder, "commit", "-q", "--allow-empty", "-m", "later")
    del stages[:]
    fail(request_)
    assert [words[0] for words in stages] == ["pretrain"]  # hours may have been trained


@pytest.mark.parametrize("end", ["failed", *Outcome])
def test_a_model_that_was_made_from_another_suggests_until_a_better_one_is_there(
    results, request_, tiny_artifact, tmp_path, end
):
    """If it fails, trying another model turns a good one off for ever, and passes it off as that
    model's adaptation."""
    start_adaptation(request_)
    first, others = Settings(model=request_.model), Settings(model=str(tmp_path / "other"))
    model = find_adaptation(request_.folder).model
    assert find_model_for([request_.folder], first) == model.artifact is not None
    shutil.copytree(tiny_artifact, others.model)
    request = replace(request_, model=others.model)
    if end == "failed":
        results.failing = "corpus"
        fail(request)
    else:
        is_planned = end in {Outcome.BETTER, Outcome.NO_BETTER}
        results.record = AdaptationRecord(items=1, verdict="" if is_planned else end)
        results.outcome = end
        start_adaptation(request)
    found = AdaptedModel.read(model.folder).artifact
    assert found.name == ("0002" if end == Outcome.BETTER else "0001")
    served = [find_model_for([request_.folder], settings) for settings in (first, others)]
    assert served == ([None, found] if end == Outcome.BETTER else [found, None])


def test_an_earlier_version_suggests_where_its_own_base_is_chosen(
    results, request_, tiny_artifact, tmp_path
):
    """If it fails, a version that was made from one model suggests in place of another."""
    others = Settings(model=str(shutil.copytree(tiny_artifact, tmp_path / "other")))
    for model in (request_.model, others.model):
        start_adaptation(replace(request_, model=model))
    assert models(["use", find_adaptation(request_.folder).model.name, "0001"]) == 0
    served = [find_model_for([request_.folder], one) for one in (Settings(), others)]
    first = find_model_for([request_.folder], Settings(model=request_.model))
    assert (served, first.name) == ([None, None], "0001")


def test_a_first_adaptation_that_failed_is_of_the_model_that_is_adapted_next(
    stages, request_, tiny_artifact, tmp_path
):
    """If it fails, `parrotlet models` names a model from which nothing was made."""
    fail(request_)
    shutil.copytree(tiny_artifact, tmp_path / "other")
    fail(replace(request_, model=str(tmp_path / "other")))
    assert find_adaptation(request_.folder).model.record.base == str(tmp_path / "other")


def test_while_it_waits_it_is_told_not_to(stages, request_, monkeypatch):
    """If it fails, `parrotlet adapt --on-battery` changes nothing about a pause on battery."""
    looks = []

    def is_discharging(_):
        looks.append(find_adaptation(request_.folder).read_state().state)
        assert len(looks) < 9
        if len(looks) == 3:
            find_adaptation(request_.folder).hasten(request_)
        return True

    monkeypatch.setattr(Battery, "is_discharging", is_discharging)
    fail(replace(request_, pauses_on_battery=True))
    assert looks[2] is RunState.PAUSED
    assert [words[0] for words in stages] == ["adapt-plan", "corpus"]


def test_a_failure_before_the_first_stage_is_told(request_, stages):
    """If it fails, users read that it was ended from outside, and editors start it for ever."""
    request = replace(request_, model="nobody/not-a-model")
    with pytest.raises(PrerequisiteError):
        start_adaptation(request)
    adaptation = find_adaptation(request.folder)
    state = adaptation.read_state()
    assert (state.state, stages) == (RunState.FAILED, [])
    assert "nobody/not-a-model" in state.reason
    assert not adaptation.go_on()


@pytest.mark.parametrize(
    "answers",
    [
        "",
        "distributed_type: MULTI_GPU\nnum_machines: 2\nnum_processes: 8\ngpu_ids: all\n",
        "distributed_type: FSDP\nnum_processes: 2\nfsdp_config: {fsdp_version: 2}\n",
        "distributed_type: DEEPSPEED\nnum_processes: 2\n",
        "distributed_type: 'NO'\nuse_cpu: true\nmixed_precision: fp16\n",
    ],
    ids=["none", "gpus", "fsdp", "deepspeed", "cpu"],
)
def test_it_trains_by_one_process_whatever_the_launcher_was_configured_for(
    tmp_path, monkeypatch, answers
):
    """If it fails, models cannot be adapted where there are two GPUs, or with DeepSpeed set."""
    default = tmp_path / "default_config.yaml"
    if answers:
        default.write_text(f"compute_environment: LOCAL_MACHINE\n{answers}")
    monkeypatch.setattr(config_args, "default_config_file", str(default))
    monkeypatch.setattr(accelerate_launch, "default_config_file", str(default))
    monkeypatch.setattr(launch, "_n_accelerators", lambda: 2)
    stages = AdaptationStages(tmp_path, AdaptationRequest(folder=tmp_path), tmp_path, tmp_path)
    rest = stages.list_rest(AdaptationRecord(items=1))
    (words,) = [stage.words for stage in rest if stage.name == "pretrain"]
    asked = launch.accelerate_arguments(launch._parser().parse_intermixed_args(words[1:]))
    assert (asked.num_processes, asked.num_machines) == (1, 1)
    assert [asked.multi_gpu, asked.use_fsdp, asked.use_cpu] == [False] * 3
    assert asked.mixed_precision == "no"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert "CUDA_VISIBLE_DEVICES" not in prepare_simple_launcher_cmd_env(asked)[1]
