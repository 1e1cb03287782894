"""Trackers read back: what a run recorded, and that a resumed run is the same one."""

import dataclasses
import importlib
import json
import logging
import struct
import time
import warnings
from pathlib import Path

import pytest
from accelerate import Accelerator

from training.config import PretrainConfig, RunConfig, TrackingConfig
from training.foundation.errors import ConfigError
from training.run.run_log import RunLog
from training.run.run_metrics import SampleCompletion, StartFacts, StepMetrics, ValidationMetrics
from training.run.tracking.trackers import check_trackers, flatten_config
from training.step.objective import MeanLosses
from training.step.throughput import Throughput

STEP = StepMetrics(
    losses=MeanLosses(total=2.5, left_to_right=2.5, fim=None),
    gradient_norm=1.0,
    rate_factor=0.5,
    tokens=1024,
    throughput=Throughput(tokens_per_s=10.0, mfu=0.1),
)
VALIDATION = ValidationMetrics(loss=2.0, perplexity=7.4, bits_per_byte=1.1)
SAMPLE = SampleCompletion(prompt="def f(", text="x):")
FACTS = StartFacts(
    processes=1,
    is_sharded=False,
    device="cpu",
    dtype="float32",
    is_compiled=False,
    matmul_flops_per_s=1e9,
    peak_source="measured",
    commit="unknown",
)


def config_of(run, *trackers, **tracking):
    config = RunConfig(
        name="tiny",
        pretrain=PretrainConfig(steps=4, tracker=trackers),
        tracking=TrackingConfig(offline=True, **tracking),
    )
    return dataclasses.replace(config, paths=dataclasses.replace(config.paths, run=run))


def report(config, first, last):
    """Reports steps as the training loop does, from a start or a resumption to its end."""
    accelerator = Accelerator(cpu=True)
    log = RunLog(config, first - 1, accelerator)
    try:
        log.log_start(first - 1, FACTS)
        for step in range(first, last + 1):
            log.log_step(step, STEP)
        log.log_validation(last, VALIDATION)
        log.log_samples(last, [SAMPLE])
    finally:
        log.close()
        accelerator.end_training()


def read_events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return events


def test_tensorboard_has_every_step_once_and_the_config(tmp_path):
    """If it fails, the curves of an interrupted run run back in time."""
    config = config_of(tmp_path, "tensorboard")
    report(config, 1, 3)
    report(config, 3, 4)  # killed after step 2 was saved: step 3 is run again
    events = read_events(tmp_path / "logs")
    steps = [event.step for event in events.Scalars("train/loss")]
    assert steps == [1, 2, 3, 4]
    assert events.Scalars("train/loss")[0].value == pytest.approx(2.5)
    assert [e.step for e in events.Scalars("validation/validation_loss")][-1] == 4
    assert any("samples/0" in tag for tag in events.Tags()["tensors"])
    (recorded,) = (tmp_path / "logs").rglob("hparams.yml")
    assert "optim.matrices: muon" in recorded.read_text()


@pytest.mark.integration
def test_several_trackers_at_once_are_the_same_run_on_resume(tmp_path):
    """TensorBoard and MLflow together; MLflow's client reads its folder back."""
    mlflow = pytest.importorskip("mlflow")
    config = config_of(tmp_path, "tensorboard", "mlflow", project="birds", run_name="parrot")
    report(config, 1, 2)
    report(config, 3, 4)
    client = mlflow.MlflowClient((tmp_path / "mlruns").as_uri())
    (experiment,) = client.search_experiments(filter_string="name = 'birds'")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("parrot", "FINISHED")
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert sorted(metric.step for metric in history) == [1, 2, 3, 4]
    assert run.data.params["pretrain.steps"] == "4"
    assert len(read_events(tmp_path / "logs").Scalars("train/loss")) == 4


@pytest.mark.integration
def test_weights_and_biases_offline_is_a_run_on_disk(tmp_path, monkeypatch):
    """Its own reader reads it back: project, name, config, history, one id for both starts."""
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    config = config_of(tmp_path, "wandb", project="birds", run_name="parrot")
    report(config, 1, 2)
    time.sleep(1.0)  # its folders are named by the second
    report(config, 3, 4)
    files = sorted(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))
    assert len(files) == 2
    records = [record for file in files for record in read_whole_log(file)]
    runs = [record.run for record in records if record.HasField("run")]
    assert {(run.project, run.display_name) for run in runs} == {("birds", "parrot")}
    (run_id,) = {run.run_id for run in runs}
    assert run_id == json.loads((tmp_path / "tracking.json").read_text())["id"]
    rows = [
        {item.nested_key[0] if item.nested_key else item.key: item.value_json for item in r.item}
        for r in (record.history for record in records if record.HasField("history"))
    ]
    losses = [json.loads(row["train/loss"]) for row in rows if "train/loss" in row]
    assert losses == [2.5] * 4
    updates = [
        item.nested_key[0] if item.nested_key else item.key
        for record in records
        for update in (record.config, record.run.config)
        for item in update.update
    ]
    assert any("optim.matrices" in key for key in updates)


def read_whole_log(file):
    """Returns the records once the last is there: W&B's own process writes a little later."""
    deadline = time.monotonic() + 60
    while True:
        records = list(read_records(file))
        if any(record.HasField("exit") for record in records) or time.monotonic() > deadline:
            return records
        time.sleep(0.1)


def read_records(file):
    """Reads the log: blocks of 32 KiB of records with checksum, length and kind, as LevelDB's."""
    wandb_internal_pb2 = importlib.import_module("wandb.proto.wandb_internal_pb2")
    data, at, parts = file.read_bytes(), 7, b""
    assert data[:4] == b":W&B"
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        if at + 7 + length > len(data):
            return  # it is being written
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in {1, 4}:  # whole, or the last part
            yield wandb_internal_pb2.Record.FromString(parts)
            parts = b""


@pytest.mark.integration
def test_trackio_keeps_its_runs_here(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # read when it is imported
    pytest.importorskip("trackio")
    report(config_of(tmp_path, "trackio", project="birds"), 1, 2)
    assert list((tmp_path / "trackio").glob("birds*"))


def test_a_missing_or_unknown_tracker_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"pip install 'parrotlet\[wandb\]'"):
        check_trackers(config_of(tmp_path, "wandb"))
    check_trackers(config_of(tmp_path, "none"))
    with pytest.raises(ValueError, match="tracker is 'tensorbord', expected"):
        PretrainConfig(tracker="tensorbord")
    assert PretrainConfig(tracker=["wandb", "tensorboard", "wandb"]).tracker_names == (
        "wandb",
        "tensorboard",
    )
    assert PretrainConfig(tracker="none").tracker_names == ()


def test_the_recorded_config_names_no_folder(tmp_path):
    """Else a public project tells where its owner's code lies."""
    values = flatten_config(config_of(tmp_path / "secret" / "run", "none"))
    assert values["paths.run"] == "run"
    assert values["optim.learning_rate"] == pytest.approx(3e-3)
    assert values["shards.fim.rate"] == pytest.approx(0.5)
    assert "secret" not in json.dumps(values)


def test_every_process_keeps_a_log(tmp_path, capsys):
    """Time, level and rank in the file; sentences on the terminal; warnings of libraries too."""
    report(config_of(tmp_path, "none"), 1, 1)
    text = (tmp_path / "process-0.log").read_text()
    assert "INFO process 0 training.run.run_log: step 1: validation_loss 2.0000" in text
    assert "step 1: loss" not in text
    shown = capsys.readouterr().err
    assert "step 1: validation_loss 2.0000" in shown
    assert "INFO" not in shown
    accelerator = Accelerator(cpu=True)
    log = RunLog(config_of(tmp_path / "more", "none", log_level="debug"), 0, accelerator)
    log.log_step(1, STEP)
    logging.getLogger("datasets").warning("slow disk")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old name", stacklevel=1)
    log.close()
    logging.getLogger("training").info("after the end")
    text = (tmp_path / "more/process-0.log").read_text()
    for part in ("DEBUG process 0", "step 1: loss 2.5", "WARNING process 0 datasets: slow disk"):
        assert part in text
    assert "old name" in text
    assert "after the end" not in text
    assert Path(tmp_path, "more/process-0.log").stat().st_size < 4000
