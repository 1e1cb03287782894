"""The training stages on real files: corpus to weights, interruption, several processes."""

import functools
import json
import os
import shutil
import signal
import time

import pytest
import torch
from training_run import (
    Forked,
    assert_same,
    curve,
    finish,
    launch,
    measure_for,
    processes_of,
    signal_after,
    trainer,
)

from training.artifact.bundled import BUNDLED_MODEL
from training.artifact.directory import TOKENIZER_FILE, load_artifact
from training.average_checkpoints import main as average_checkpoints
from training.config import RunConfig
from training.foundation.config_schema import load_toml
from training.foundation.errors import ConfigError, CorpusError
from training.prepare import main as prepare
from training.run.checkpoint import list_checkpoints
from training.shards.blocks import BlockReader
from training.validate import main as validate

pytestmark = pytest.mark.integration


def test_the_loss_falls_and_the_artifact_loads(uninterrupted, tiny_config, capsys):
    losses = curve(uninterrupted)
    assert len(losses) == 12
    assert processes_of(uninterrupted) == [1]
    assert losses[12] < losses[1] - 0.25
    artifact = load_artifact(uninterrupted / "model")
    assert artifact.manifest.training.tokens_seen == 12 * 8 * 64
    assert "PSF-2.0" in (uninterrupted / "model" / "README.md").read_text()
    assert "cpython-stdlib-asyncio" in (uninterrupted / "model" / "NOTICE").read_text()
    shards = load_toml(RunConfig, tiny_config).paths.shards
    assert validate([str(uninterrupted / "model"), "--shards", str(shards)]) == 0
    assert "bits per byte" in capsys.readouterr().out


def test_a_mean_of_checkpoints_is_measured(uninterrupted, tiny_config, tmp_path, capsys):
    """If it fails, the model that a long run is judged by says nothing about how good it is."""
    shards, out = load_toml(RunConfig, tiny_config).paths.shards, tmp_path / "mean"
    average_checkpoints([str(uninterrupted), "--out", str(out), "--shards", str(shards)])
    printed = capsys.readouterr().out
    assert validate([str(out), "--shards", str(shards)]) == 0
    again = capsys.readouterr().out
    evaluation, card = load_artifact(out).manifest.evaluation, (out / "README.md").read_text()
    for name in ("validation_loss", "validation_bits_per_byte"):
        value = f"{evaluation[name]:.4f}"
        assert value in printed
        assert value in again
        assert f"| {name} | {value} |" in card


def test_no_mean_is_computed_for_shards_that_it_cannot_be_measured_on(
    uninterrupted, tiny_config, tmp_path
):
    shards, out = tmp_path / "shards", tmp_path / "mean"
    shutil.copytree(load_toml(RunConfig, tiny_config).paths.shards, shards)
    shutil.copy(BUNDLED_MODEL / TOKENIZER_FILE, shards)
    with pytest.raises(ConfigError, match="prepared with another tokenizer"):
        average_checkpoints([str(uninterrupted), "--out", str(out), "--shards", str(shards)])
    assert not out.exists()


def test_checkpoints_are_compared_on_the_same_blocks(uninterrupted):
    """If it fails, the best checkpoint is removed for one that was measured on easier text."""
    lines = (uninterrupted / "metrics.jsonl").read_text().splitlines()
    events = [event for event in map(json.loads, lines) if event["event"] == "validation"]
    during, final = [e["validation_loss"] for e in events if e["step"] == 12]
    assert during != final
    newest = list_checkpoints(uninterrupted / "checkpoints")[-1]
    record = json.loads((newest / "training_state.json").read_text())
    assert record["validation_loss"] == pytest.approx(during)
    evaluation = load_artifact(newest).manifest.evaluation
    assert evaluation["validation_loss"] == pytest.approx(final)


def test_accumulated_batches_follow_the_curve_of_whole_ones(uninterrupted, config_file, tmp_path):
    run = tmp_path / "micro"
    finish(Forked(config_file, f"paths.run={run}", "pretrain.micro_batch_blocks=2"))
    assert list(curve(run).values()) == pytest.approx(list(curve(uninterrupted).values()), rel=2e-4)


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_ends_like_the_uninterrupted(
    uninterrupted, config_file, tmp_path, signal_number
):
    """If it fails, hours of training are lost to a reboot, or silently become another run."""
    run = tmp_path / "run"
    interruption = functools.partial(signal_after, 7, signal_number)
    interrupted = Forked(config_file, f"paths.run={run}", change=interruption)
    interrupted.communicate(timeout=110)
    assert interrupted.returncode != 0
    assert max(curve(run)) == 7
    finish(Forked(config_file, f"paths.run={run}"))
    assert_same(run, uninterrupted)


@pytest.mark.timeout(300)
def test_an_interrupted_launch_of_several_processes_does_too(uninterrupted, config_file, tmp_path):
    """One of two processes is lost, which the launcher notices, while they accumulate.

    It also shows that Accelerate takes the shipped config for several processes as it is. Those for
    GPUs cannot run here.
    """
    run, whole = tmp_path / "run", tmp_path / "whole"
    settings = ("pretrain.micro_batch_blocks=2", "pretrain.save_every_steps=2")
    finish(Forked(config_file, f"paths.run={whole}", *settings, processes=2))
    wanted = pytest.approx(list(curve(uninterrupted).values()), rel=2e-4)
    assert list(curve(whole).values()) == wanted
    launched = launch(config_file, f"paths.run={run}", *settings, launcher="cpu-processes")
    kill_in_the_middle(launched, run)
    finish(Forked(config_file, f"paths.run={run}", *settings, processes=2))
    assert processes_of(run) == [2, 2]
    assert_same(run, whole)


def kill_in_the_middle(process, run):
    """Kills the first training process of a launcher, long before the run's end."""
    metrics = run / "metrics.jsonl"
    deadline = time.monotonic() + 110
    while time.monotonic() < deadline and process.poll() is None:
        if metrics.exists() and len(metrics.read_text().splitlines()) >= 4:
            break
        time.sleep(0.005)
    os.kill(trainer(process), signal.SIGKILL)
    process.communicate(timeout=110)
    assert process.returncode != 0


def test_processes_follow_the_curve_of_one_however_many_there_are(
    uninterrupted, config_file, tmp_path
):
    """If it fails, a change of machines repeats or skips data, or another rate must be found.

    The sums of gradients are taken in another order, so the losses agree to rounding only, which
    twelve steps of training do not carry past the fourth digit.
    """
    run = tmp_path / "run"
    arguments = [config_file, f"paths.run={run}"]
    for steps, processes in ((4, 2), (8, 4), (99, 1)):
        stop = f"pretrain.stop_after_steps={steps}"
        finish(Forked(*arguments, stop, processes=processes))
    assert processes_of(run) == [2, 4, 1]
    one, changed = curve(uninterrupted), curve(run)
    assert changed.keys() == one.keys()
    assert list(changed.values()) == pytest.approx(list(one.values()), rel=2e-4)


def test_a_full_disk_costs_no_finished_checkpoint(uninterrupted, config_file, tmp_path):
    """If it fails, a night's training is lost to a few missing megabytes."""
    run = tmp_path / "run"
    process = Forked(config_file, f"paths.run={run}", "pretrain.stop_after_steps=4")
    finish(process)
    largest = max(f.stat().st_size for f in run.rglob("*.safetensors"))
    full = Forked(config_file, f"paths.run={run}", largest_file=largest - 1)
    _, err = full.communicate(timeout=110)
    assert full.returncode != 0
    assert "free some disk space and run the same command again" in err
    assert [p.name for p in list_checkpoints(run / "checkpoints")] == ["step-00000004"]
    assert not list((run / "checkpoints").glob(".*"))
    finish(Forked(config_file, f"paths.run={run}"))
    assert curve(run) == curve(uninterrupted)


def test_a_run_shows_what_it_does(uninterrupted):
    lines = (uninterrupted / "metrics.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    step = next(e for e in events if e["event"] == "step")
    assert {"loss_fim", "loss_left_to_right", "gradient_norm", "mfu", "tokens_per_s"} <= step.keys()
    assert min(step["loss_fim"], step["loss_left_to_right"]) < step["loss"]
    assert max(step["loss_fim"], step["loss_left_to_right"]) > step["loss"]
    assert [len(e["samples"]) for e in events if e["event"] == "samples"] == [3, 3, 3]
    report = (uninterrupted / "report.html").read_text()
    assert "Training loss" in report
    assert "polyline" in report
    assert "with open(path[...]" in report


def test_recomputed_activations_give_the_same_curve(uninterrupted, config_file, tmp_path):
    run = tmp_path / "run"
    finish(Forked(config_file, f"paths.run={run}", "pretrain.gradient_checkpointing=true"))
    assert list(curve(run).values()) == pytest.approx(list(curve(uninterrupted).values()), rel=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_follows_the_curve_of_full(uninterrupted, config_file, tmp_path, dtype):
    """Weights are rounded to 8 or 11 bits in every step, so the losses agree to two digits."""
    run = tmp_path / "run"
    finish(Forked(config_file, f"paths.run={run}", f"pretrain.dtype={dtype}"))
    assert list(curve(run).values()) == pytest.approx(list(curve(uninterrupted).values()), rel=1e-2)


def test_size_and_budget_in_place_of_many_settings(config_file, tmp_path):
    """If it fails, a first run of one's own needs an expert."""
    run = tmp_path / "run"
    chosen_by = ["size=100K", "budget=30K", f"paths.run={run}"]
    stop = "pretrain.stop_after_steps=3"
    quickly = functools.partial(measure_on_little_memory, 0.3)
    _, err = finish(Forked(config_file, *chosen_by, stop, processes=2, change=quickly))
    assert "micro-batches of 4 blocks: 8 exceed the memory" in err
    assert "size=100K: 1 layers of width 64" in err
    assert "tokens per second, measured here" in err
    chosen = json.loads((run / "config.json").read_text())["pretrain"]
    assert chosen["steps"] * chosen["batch_blocks"] * 64 == pytest.approx(30_000, rel=0.01)
    _, err = finish(Forked(config_file, *chosen_by, processes=2))
    assert "measured here" not in err
    assert max(curve(run)) == chosen["steps"]


def test_a_damaged_checkpoint_falls_back_to_the_one_before(uninterrupted, config_file, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(uninterrupted, run)
    newest = list_checkpoints(run / "checkpoints")[-1]
    (newest / "training_state.safetensors").write_bytes(b"damaged")
    _, err = finish(Forked(config_file, f"paths.run={run}"))
    assert "is damaged" in err
    assert curve(run) == curve(uninterrupted)


def test_training_continues_from_an_artifact(uninterrupted, config_file, tmp_path):
    """If it fails, a bundled model cannot be trained further."""
    run = tmp_path / "run"
    start = uninterrupted / "model"
    finish(
        Forked(
            config_file,
            f"paths.run={run}",
            f"pretrain.start_from={start}",
            "pretrain.first_block=96",
            "pretrain.steps=4",
        )
    )
    assert curve(run)[1] < curve(uninterrupted)[4]
    assert load_artifact(run / "model").manifest.training.tokens_seen == (12 + 4) * 8 * 64


@pytest.mark.parametrize(
    ("override", "code", "message"),
    [
        ("pretrain.stepz=1", 2, "unknown key 'stepz'"),
        ("pretrain.batch_blocks=3", 0, ""),
        ("paths.shards=/nowhere", 3, "holds no finished shards"),
        ("optim.learning_rate=1e30", 4, "the loss became"),
    ],
)
def test_bad_input_gets_one_sentence(config_file, tmp_path, override, code, message):
    process = Forked(config_file, f"paths.run={tmp_path / 'run'}", override, "pretrain.steps=4")
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == (code != 0)
    assert message in "".join(lines)


def measure_on_little_memory(seconds):
    """Measures the speed for that long; in one of two processes no pass of 8 blocks fits."""
    from training.step.objective import LossModule

    measure_for(seconds)
    forward = LossModule.forward

    def train(module, ids, *batch):
        if len(ids) == 8 and os.environ["RANK"] == "1":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(module, ids, *batch)

    LossModule.forward = train


def run_out_of_memory(step):
    """Lets a step of a run fail as it does on a GPU that is too small."""
    from training.step.batches import BatchLoader

    load = BatchLoader.load

    def load_or_fail(loader, number):
        if number == step:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return load(loader, number)

    BatchLoader.load = load_or_fail


def test_a_batch_that_exceeds_the_memory_is_one_sentence(config_file, tmp_path):
    """If it fails, the commonest error on GPUs is a traceback that does not say what to change."""
    change = functools.partial(run_out_of_memory, 3)
    _, err = finish(Forked(config_file, f"paths.run={tmp_path / 'run'}", change=change), code=3)
    assert err.splitlines()[-1].startswith(
        "error: the memory does not suffice for micro-batches of 8 blocks; lower pretrain."
    )
    assert "Traceback" not in err


def test_every_token_is_traced_to_its_document(tiny_config):
    """If it fails, nobody can say what a model was trained on."""
    import pyarrow.parquet as pq

    config = load_toml(RunConfig, tiny_config)
    reader = BlockReader(config.paths.shards, "heldout")
    documents = pq.read_table(config.paths.shards / "heldout.documents.parquet").to_pylist()
    corpus = {}
    for path in (config.paths.corpus / "heldout").glob("*.parquet"):
        corpus |= {row["sha256"]: row["text"] for row in pq.read_table(path).to_pylist()}
    from training.artifact.tokenizer import CodeTokenizer

    tokenizer = CodeTokenizer.load(config.paths.shards / "tokenizer.json")
    for index in range(0, len(reader), max(1, len(reader) // 20)):
        ids, owners = reader.read_block(index), reader.read_documents(index)
        for owner in set(owners.tolist()):
            text = tokenizer.decode_bytes(ids[owners == owner].tolist())
            whole = corpus[documents[owner]["sha256"]].encode()
            pieces = [p for p in text.split(b"\n") if p.strip()]
            assert all(piece in whole for piece in pieces)


def test_prepared_shards_do_not_depend_on_the_number_of_processes(tiny_config, tmp_path):
    prepare([str(tiny_config), f"paths.shards={tmp_path / 's'}", "shards.processes=1"])
    first = BlockReader(load_toml(RunConfig, tiny_config).paths.shards, "train")
    second = BlockReader(tmp_path / "s", "train")
    assert len(first) == len(second)
    assert all((first.read_block(i) == second.read_block(i)).all() for i in range(len(first)))


def test_shards_of_another_size_are_the_same_data(tiny_config, tmp_path):
    """If it fails, a run refuses its own data, or accepts other data as its own."""
    first = BlockReader(load_toml(RunConfig, tiny_config).paths.shards, "train").meta
    for name, override, is_same in (
        ("cut", "shards.blocks_per_shard=7", True),
        ("other", "shards.seed=9", False),
    ):
        prepare([str(tiny_config), f"paths.shards={tmp_path / name}", override])
        meta = BlockReader(tmp_path / name, "train").meta
        assert len(meta.shard_blocks["train"]) > len(first.shard_blocks["train"]) or not is_same
        assert (meta.content_sha256 == first.content_sha256) is is_same


def test_a_run_resumes_only_with_its_own_shards(uninterrupted, config_file, tmp_path):
    run, shards = tmp_path / "run", tmp_path / "shards"
    shutil.copytree(uninterrupted, run)
    prepare([str(config_file), f"paths.shards={shards}", "shards.seed=9"])
    arguments = [config_file, f"paths.run={run}", f"paths.shards={shards}", "pretrain.steps=14"]
    _, err = Forked(*arguments).communicate(timeout=60)
    assert "holds a run with another shards_sha256" in err


def test_the_page_beside_the_shards_has_their_tokens(tiny_config):
    shards = load_toml(RunConfig, tiny_config).paths.shards
    page = (shards / "report.html").read_text()
    in_blocks = {split: len(BlockReader(shards, split)) * 64 for split in ("train", "heldout")}
    assert "Tokens by licence" in page
    for split, n_tokens in in_blocks.items():
        assert f">{n_tokens:,}</text>" in page, split


def test_unfinished_inputs_are_named(tiny_config, tmp_path):
    with pytest.raises(CorpusError, match="holds no finished corpus"):
        prepare([str(tiny_config), f"paths.corpus={tmp_path}", f"paths.shards={tmp_path / 's'}"])
    with pytest.raises(SystemExit, match="2"):
        prepare([])
