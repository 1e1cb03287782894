"""A corpus stage killed in the middle, then run again: nothing lost, nothing else written."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.foundation.atomic_files import file_sha256
from training.foundation.errors import CorpusError
from training.foundation.parallel.worker_pool import work_folder, worker_pool
from training.prepare import main as prepare
from training.shards.encoding import EncodedGroup
from training.train_tokenizer import main as train_tokenizer

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def many_groups(tiny_config, tmp_path_factory):
    """The tiny run over a corpus of small row groups, so that there is a middle to be killed in."""
    from training.config import RunConfig
    from training.foundation.config_schema import load_toml

    folder = tmp_path_factory.mktemp("groups")
    source = load_toml(RunConfig, tiny_config).paths.corpus
    for path in source.rglob("*"):
        target = folder / "corpus" / path.relative_to(source)
        if path.suffix == ".parquet":
            target.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pq.read_table(path), target, row_group_size=4)
        elif path.name == "report.json":
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return [str(tiny_config), f"paths.corpus={folder / 'corpus'}"]


@pytest.fixture(scope="module")
def whole(many_groups, tmp_path_factory):
    """The hashes of what a run writes that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole") / "shards"
    assert prepare([*many_groups, f"paths.shards={folder}"]) == 0
    return hashes(folder)


def killed(module, arguments, when):
    """Runs a command and kills its whole process group as soon as ``when()`` holds."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not when() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    assert process.poll() is None, "it ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def hashes(folder):
    return {path.name: file_sha256(path) for path in sorted(folder.iterdir())}


def test_preparing_goes_on_after_a_kill(many_groups, whole, tmp_path):
    """If it fails, a killed run loses its work, or its shards differ from an unbroken run's."""
    settings = [*many_groups, f"paths.shards={tmp_path / 'broken'}", "shards.processes=1"]
    work = tmp_path / ".broken.work"

    for n_files in (2, 5):
        killed("training.prepare", settings, lambda n=n_files: len(list(work.glob("*.npz"))) >= n)
        assert not (tmp_path / "broken").exists()
    first = min(work.glob("*.npz"))
    first.write_bytes(first.read_bytes()[:100])  # as a full disk leaves it
    assert prepare(settings) == 0
    assert hashes(tmp_path / "broken") == whole
    assert not work.exists()


def test_groups_made_before_a_kill_are_not_made_again(many_groups, whole, tmp_path):
    """A mark in a group's file comes out in the shards and their hash: taken as it stood."""
    settings = [*many_groups, f"paths.shards={tmp_path / 'broken'}", "shards.processes=1"]
    work = tmp_path / ".broken.work"
    killed("training.prepare", settings, (work / "train-00001.npz").exists)
    group = EncodedGroup.load(work / "train-00000.npz")
    group.tokens[1] = 0 if group.tokens[1] else 1
    group.save(work / "train-00000.npz")
    assert prepare(settings) == 0
    broken = hashes(tmp_path / "broken")
    changed = {name for name in whole if broken[name] != whole[name]}
    assert changed == {"train-00000.tokens.npy", "shards.json"}


def test_a_killed_tokenizer_training_leaves_nothing_half(many_groups, tmp_path):
    target = tmp_path / "tokenizer"
    settings = [*many_groups, "tokenizer.vocab_size=4096"]
    assert train_tokenizer([*settings, f"paths.tokenizer={tmp_path / 'whole'}"]) == 0
    killed(
        "training.train_tokenizer",
        [*settings, f"paths.tokenizer={target}"],
        lambda: bool(list(tmp_path.glob(".tokenizer.new-*"))),
    )
    assert not (target / "tokenizer.json").exists() or (target / "tokenizer-report.json").exists()
    assert train_tokenizer([*settings, f"paths.tokenizer={target}"]) == 0
    ours, whole = (file_sha256(p / "tokenizer.json") for p in (target, tmp_path / "whole"))
    assert ours == whole


def test_a_changed_config_does_not_go_on_with_old_groups(many_groups, tmp_path):
    """If it fails, shards of one seed hold groups of another."""
    settings = [*many_groups, f"paths.shards={tmp_path / 's'}"]
    work = tmp_path / ".s.work"
    killed("training.prepare", settings, lambda: bool(list(work.glob("*.npz"))))
    assert prepare([*settings, "shards.seed=7"]) == 0
    assert prepare([*many_groups, f"paths.shards={tmp_path / 't'}", "shards.seed=7"]) == 0
    assert hashes(tmp_path / "s") == hashes(tmp_path / "t")


def test_a_rebuilt_corpus_does_not_go_on_with_old_groups(many_groups, tmp_path):
    """If it fails, shards have the licences and the quality of a corpus that is no more."""
    config, corpus = many_groups[0], tmp_path / "corpus"
    shutil.copytree(many_groups[1].partition("=")[2], corpus)
    settings = [config, f"paths.corpus={corpus}", f"paths.shards={tmp_path / 's'}"]
    work = tmp_path / ".s.work"
    killed("training.prepare", settings, lambda: bool(list(work.glob("*.npz"))))
    for path in corpus.glob("*/*.parquet"):
        table = pq.read_table(path)
        levels = pa.array(["high"] * len(table))
        column = table.column_names.index("quality")
        pq.write_table(table.set_column(column, "quality", levels), path, row_group_size=4)
    assert prepare(settings) == 0
    assert prepare([*settings[:2], f"paths.shards={tmp_path / 't'}"]) == 0
    assert hashes(tmp_path / "s") == hashes(tmp_path / "t")


def test_a_killed_worker_is_told_in_one_sentence():
    """If it fails, a command waits for ever for a process that the system has killed."""
    with pytest.raises(CorpusError, match="run the same command again"), worker_pool(1) as pool:
        pool.submit(os.kill, pool.submit(os.getpid).result(), signal.SIGKILL).result()


def test_data_more_than_code_is_dropped_and_named(many_groups, tmp_path):
    import json

    settings = [*many_groups, f"paths.shards={tmp_path / 's'}"]
    assert prepare([*settings, "shards.min_characters_per_token=1.5"]) == 0
    meta = json.loads((tmp_path / "s" / "shards.json").read_text())
    drops = meta["drops"]["few characters per token"]["train"]
    assert prepare([*settings, "shards.min_characters_per_token=0"]) == 0
    all_of_them = json.loads((tmp_path / "s" / "shards.json").read_text())
    assert 0 < drops["documents"] < all_of_them["documents"]["train"]
    assert meta["documents"]["train"] + drops["documents"] == all_of_them["documents"]["train"]
    assert all(": " in example for example in drops["examples"])


def test_a_damaged_group_file_counts_as_missing(tmp_path):
    work = work_folder(tmp_path / "x", "inputs")
    (work / "train-00000.npz").write_bytes(b"PK\x03\x04 no archive")
    assert EncodedGroup.load(work / "train-00000.npz") is None
