"""Runs with a teacher on some documents: what they learn, how they resume, what is refused."""

import functools
import json
import signal

import pytest
import torch
from accelerate import Accelerator
from training_run import Forked, assert_same, finish, signal_after

from training.artifact.directory import RUN_CONFIG_FILE, load_artifact
from training.autoconfig import speed
from training.autoconfig.sizing import DataShape
from training.config import RunConfig
from training.foundation.config_schema import load_toml
from training.licensing.attribution import read_document_table

pytestmark = pytest.mark.integration
PREFIX = "asyncio/"


@pytest.fixture(scope="module")
def settings(uninterrupted):
    """A run that starts from a finished model, which is also its teacher on one of the packages."""
    start = uninterrupted / "model"
    return (
        f"pretrain.start_from={start}",
        f"distil.teacher={start}",
        f"distil.path_prefix={PREFIX}",
        "distil.weight=4",  # as adaptations have it
        "pretrain.micro_batch_blocks=2",
        "pretrain.save_every_steps=3",
    )


@pytest.fixture(scope="module")
def distilled(tiny_config, settings, tmp_path_factory):
    run = tmp_path_factory.mktemp("distilled") / "run"
    finish(Forked(tiny_config, f"paths.run={run}", *settings))
    return run


def read_steps(run):
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [event for event in events if event["event"] == "step"]


def test_the_text_is_learned_and_the_teacher_kept(distilled, tiny_config, settings, tmp_path):
    """If it fails, an adapted model forgets what it could before."""
    shards = load_toml(RunConfig, tiny_config).paths.shards
    paths = [row["path"] for row in read_document_table(shards, ["path"])]
    assert 0 < sum(path.startswith(PREFIX) for path in paths) < len(paths)
    steps = read_steps(distilled)
    assert steps[0]["divergence"] < 1e-4  # it begins as its teacher
    texts = [step["loss"] for step in steps if "loss_fim" in step or "loss_left_to_right" in step]
    assert len(texts) > len(steps) / 2
    assert texts[-1] < texts[0]
    assert "Divergence from the teacher" in (distilled / "report.html").read_text()
    free = tmp_path / "free"
    finish(Forked(tiny_config, f"paths.run={free}", *settings, "distil.weight=0"))
    assert 0 < steps[-1]["divergence"] < 0.5 * read_steps(free)[-1]["divergence"]


def test_an_interrupted_run_ends_like_the_uninterrupted(distilled, tiny_config, settings, tmp_path):
    run = tmp_path / "run"
    interruption = functools.partial(signal_after, 7, signal.SIGKILL)
    interrupted = Forked(tiny_config, f"paths.run={run}", *settings, change=interruption)
    interrupted.communicate(timeout=110)
    assert interrupted.returncode != 0
    finish(Forked(tiny_config, f"paths.run={run}", *settings))
    assert_same(run, distilled)


@pytest.mark.parametrize("shard_model", ["false", "true"])
def test_two_processes_follow_the_curve_of_one(
    distilled, tiny_config, settings, tmp_path, shard_model
):
    """Whether each holds all of the network or a part of it; the teacher is whole in both."""
    run, sharding = tmp_path / "two", f"pretrain.shard_model={shard_model}"
    finish(Forked(tiny_config, f"paths.run={run}", *settings, sharding, processes=2))
    for name in ("loss", "divergence"):
        found, wanted = ([step[name] for step in read_steps(r)] for r in (run, distilled))
        assert found == pytest.approx(wanted, rel=2e-2, abs=2e-4)


def test_the_model_names_its_teacher_without_the_path(distilled, uninterrupted):
    """If it fails, a published model tells where its maker keeps the files."""
    config = (distilled / "model" / RUN_CONFIG_FILE).read_text()
    assert 'teacher = "model"' in config
    assert str(uninterrupted) not in config
    assert load_artifact(distilled / "model").manifest.training.tokens_seen == 2 * 12 * 8 * 64


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("distil.teacher=bundled", "another tokenizer"),
        ("distil.teacher=nowhere", "nowhere"),
        ("stream.files=*.jsonl", "only shards say"),
    ],
)
def test_what_cannot_teach_is_refused(tiny_config, settings, tmp_path, override, message):
    process = Forked(tiny_config, f"paths.run={tmp_path / 'run'}", *settings, override)
    _, err = process.communicate(timeout=60)
    (sentence,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert message in sentence
    assert process.returncode in {2, 3}


@pytest.mark.parametrize(
    ("prefix", "least", "most"), [("", 1, 1), (PREFIX, 0.1, 0.9), ("x/", 0, 0)]
)
def test_a_budget_knows_how_much_is_distilled(
    tiny_config, settings, monkeypatch, prefix, least, most
):
    """If it fails, a time budget is planned for a training without its teacher."""
    config = load_toml(RunConfig, tiny_config, [*settings, f"distil.path_prefix={prefix}"])
    monkeypatch.setattr(speed, "MEASURE_S", 0.1)
    teacher, share = speed._load_teacher(config, torch.device("cpu"))
    assert least <= share <= most
    assert teacher is not None
    data = DataShape(vocab_size=teacher.model.config.vocab_size, block_tokens=64)
    assert speed.measure_speed(config, data, Accelerator(cpu=True)).tokens_per_s > 0
