"""Training straight from files of records: resumed, on several processes, with its provenance."""

import functools
import json
import shutil
import signal

import pytest
from training_run import Forked, assert_same, curve, finish, launch, processes_of, signal_after

from training.artifact.directory import load_artifact
from training.config import RunConfig
from training.foundation.config_schema import load_toml
from training.foundation.errors import ConfigError, CorpusError
from training.index_verbatim import main as index_verbatim
from training.provenance import main as provenance
from training.publish.publishable_files import link_artifact
from training.run.checkpoint import list_checkpoints
from training.shards.blocks import BlockReader
from training.stream.document_log import RECORD_FILE
from training.validate import main as validate

pytestmark = pytest.mark.integration


@pytest.fixture(scope="session")
def stream_config(config_file, tiny_config, tmp_path_factory):
    """The tiny run on its corpus' own files, of which a share of the documents is held out."""
    path = tmp_path_factory.mktemp("stream") / "stream.toml"
    corpus = load_toml(RunConfig, tiny_config).paths.corpus
    stages = path.with_name("stages.toml")
    stages.write_text("out = 'x'\nlicences = ['PSF-2.0']\ndecontaminate = []\n")
    path.write_text(
        f"extends = '{config_file}'\n[stream]\nfiles = '{corpus}/*/*.parquet'\n"
        f"heldout_files = 'heldout/*.parquet'\nheldout_blocks = 16\nstages = '{stages}'\n"
        "shuffle_documents = 4\nshuffle_blocks = 4\nworkers = 0\n"
    )
    return path


@pytest.fixture(scope="session")
def streamed(stream_config, build_once):
    """The whole run, by one process."""
    train = lambda folder: finish(Forked(stream_config, f"paths.run={folder / 'whole'}"))  # noqa: E731
    return build_once("streamed", train) / "whole"


def test_a_streamed_run_trains_and_validates(streamed, capsys):
    losses = curve(streamed)
    assert losses[12] < losses[1] - 0.25
    artifact = load_artifact(streamed / "model")
    assert artifact.manifest.training.tokens_seen == 12 * 8 * 64
    notice = (streamed / "model" / "NOTICE").read_text()
    assert "cpython-stdlib-asyncio" in notice
    assert "cpython-stdlib-sqlite3" not in notice
    assert validate([str(streamed / "model"), "--shards", str(streamed / "heldout")]) == 0
    assert "bits per byte" in capsys.readouterr().out


def test_a_streamed_run_that_is_killed_and_stopped_ends_like_the_uninterrupted(
    streamed, stream_config, tmp_path
):
    """If it fails, a stream resumes elsewhere, or only the first time."""
    run = tmp_path / "run"
    killed = functools.partial(signal_after, 6, signal.SIGKILL)
    interrupted = Forked(stream_config, f"paths.run={run}", change=killed)
    interrupted.communicate(timeout=110)
    assert interrupted.returncode != 0
    finish(Forked(stream_config, f"paths.run={run}", "pretrain.stop_after_steps=9"))
    finish(Forked(stream_config, f"paths.run={run}"))
    assert_same(run, streamed)
    assert processes_of(run) == [1, 1, 1]
    assert seen(run) == seen(streamed)


def test_the_documented_command_with_a_worker_gives_the_same_run(streamed, stream_config, tmp_path):
    """If it fails, reading ahead changes what is trained on."""
    settings = (f"paths.run={tmp_path / 'run'}", "stream.workers=1", "stream.read_ahead_windows=1")
    finish(launch(stream_config, *settings))
    assert_same(tmp_path / "run", streamed)


def test_two_processes_follow_the_same_curve_and_one_takes_over(streamed, stream_config, tmp_path):
    """If it fails, a run cannot move to a machine of another size."""
    run, wanted = tmp_path / "run", list(curve(streamed).values())
    finish(Forked(stream_config, f"paths.run={run}", "pretrain.stop_after_steps=5", processes=2))
    finish(Forked(stream_config, f"paths.run={run}"))
    assert processes_of(run) == [2, 1]
    assert list(curve(run).values()) == pytest.approx(wanted, rel=2e-4)
    assert seen(run) == seen(streamed)


def test_a_published_checkpoint_says_what_it_has_seen(streamed, tmp_path):
    """If it fails, who downloads a checkpoint cannot tell whose code it was trained on."""
    checkpoint = list_checkpoints(streamed / "checkpoints")[-1]
    branch = tmp_path / "branch"
    branch.mkdir()
    link_artifact(checkpoint, branch, with_state=True)
    assert provenance([str(branch), "--out", str(tmp_path / "seen.jsonl")]) == 0
    found = [json.loads(line) for line in (tmp_path / "seen.jsonl").read_text().splitlines()]
    assert found == seen(streamed)
    (branch / RECORD_FILE).unlink()
    with pytest.raises(CorpusError, match=f"{branch} does not say which documents"):
        provenance([str(branch)])


def test_a_streamed_model_is_indexed_by_shards_of_its_data(streamed, tiny_config, tmp_path, capsys):
    """If it fails, a refusal advises what is refused again, and no source is ever named."""
    model, shards = tmp_path / "model", load_toml(RunConfig, tiny_config).paths.shards
    shutil.copytree(streamed / "model", model)
    with pytest.raises(ConfigError, match="of which no shards are left"):
        index_verbatim([str(model)])
    assert index_verbatim([str(model), "--shards", str(shards)]) == 0
    reader = BlockReader(shards, "train")
    assert f"from {len(reader)} blocks" in capsys.readouterr().out
    assert "cpython-stdlib-asyncio" in load_artifact(model).verbatim.packages


def test_other_files_or_settings_do_not_resume_a_run(streamed, stream_config, tmp_path):
    for override, key in (
        ("stream.shuffle_blocks=5", "shards_sha256"),
        ("stream.heldout_files=last", "corpus_sha256"),
        ("stream.lanes=4", "shards_sha256"),
    ):
        _, err = finish(Forked(stream_config, f"paths.run={streamed}", override), code=2)
        assert f"another {key}" in err


def seen(run):
    """Returns what a run's model has seen of each document."""
    out = run.parent / f"{run.name}.jsonl"
    assert provenance([str(run / "model"), "--out", str(out)]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]
