"""The order of a stream's blocks: one for any number of processes and workers, and resumed."""

import itertools
import json
import multiprocessing
import os
import random
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from doubles.stream_maker import make_plan, make_records, write_lines

from training.config import StreamConfig
from training.corpus.config import BalanceConfig, CorpusConfig
from training.foundation.errors import ConfigError, CorpusError, PrerequisiteError
from training.publish.publishable_files import link_artifact
from training.shards.shards_meta import ShardsMeta
from training.stream.document_log import DocumentLog, list_logs, read_log
from training.stream.lane_order import choose_lanes, deal_slices
from training.stream.streamed_blocks import StepShare, StreamedBlocks
from training.stream.training_data import warn_of_ignored_stages

BATCH = 12
N_LANES = 4


@pytest.fixture(scope="module")
def plan(byte_tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stream")
    byte_tokenizer.save(folder / "tokenizer.json")
    for number in range(3):
        records = make_records(range(number * 16, number * 16 + 16))
        write_lines(folder / f"{number}.jsonl.gz", records)
    return make_plan(folder / "tokenizer.json", folder / "*.gz", n_lanes=N_LANES)


def open_blocks(plan, run, index=0, n_processes=1, workers=0):
    return StreamedBlocks(
        plan,
        StepShare(batch_blocks=BATCH, index=index, n_processes=n_processes),
        meta=ShardsMeta(block_tokens=64, vocab_size=300),
        settings=StreamConfig(files="x", workers=workers, read_ahead_windows=1),
        log=DocumentLog(run),
    )


def read_step(processes, step, seed=1):
    """Returns a step's blocks as all processes together read them."""
    share = BATCH // len(processes)
    parts = [
        blocks.read_batch((step - 1) * BATCH + index * share, share, seed=seed)
        for index, blocks in enumerate(processes)
    ]
    return [np.concatenate([getattr(p, n) for p in parts]) for n in ("ids", "firsts", "is_fim")]


def read_steps(processes, steps):
    for step in steps:
        read_step(processes, step)


def save(processes, folder, step):
    dumps = [blocks.dump_position(step) for blocks in processes]
    processes[0].save_position(folder, step, dumps)


@pytest.fixture(scope="module")
def wanted(plan, tmp_path_factory):
    blocks = open_blocks(plan, tmp_path_factory.mktemp("whole"))
    return [read_step([blocks], step) for step in range(1, 25)]


@pytest.mark.parametrize(("n_processes", "workers"), [(2, 0), (3, 0), (12, 0), (1, 2)])
def test_any_number_of_processes_and_workers_reads_the_same_steps(
    plan, wanted, tmp_path, n_processes, workers
):
    """If it fails, a run depends on its hardware, or a process or worker gets no data."""
    processes = [open_blocks(plan, tmp_path, i, n_processes, workers) for i in range(n_processes)]
    try:
        for step in range(1, 13 if workers else 25):
            found = read_step(processes, step)
            assert all(map(np.array_equal, found, wanted[step - 1])), step
            for worker in multiprocessing.active_children():  # as when a whole group is stopped
                os.kill(worker.pid, signal.SIGTERM)
        if workers:
            multiprocessing.active_children()[0].kill()
            with pytest.raises(CorpusError, match="was killed"):
                read_steps(processes, range(13, 500))
    finally:
        for blocks in processes:
            blocks.close()


def test_a_run_that_is_lost_ten_times_goes_on_with_any_number_of_processes(plan, wanted, tmp_path):
    """If it fails, a second resume begins at the start of the data, or leaves some of it out."""
    chance, saved, n_starts = random.Random(5), 0, 0
    while saved < 24 or n_starts < 10:
        n_processes = chance.choice((1, 2, 3, 4, 6, 12))
        processes = [open_blocks(plan, tmp_path, i, n_processes) for i in range(n_processes)]
        for blocks in processes if saved else ():
            blocks.load_position(tmp_path / f"step-{saved}", saved)
        n_starts += 1
        for step in range(saved + 1, min(saved + chance.randint(1, 5), 24) + 1):
            found = read_step(processes, step)
            assert all(map(np.array_equal, found, wanted[step - 1])), step
            if step % 2 == 0:
                if step < 24:
                    read_step(processes, step + 1)  # ahead, as a thread does
                save(processes, tmp_path / f"step-{step}", step)
                saved = step
                break
    assert n_starts >= 10


def test_what_was_read_is_recorded_once(plan, tmp_path):
    """If it fails, provenance and NOTICE of a streamed model are wrong."""
    whole, other = tmp_path / "whole", tmp_path / "other"
    alone = [open_blocks(plan, whole)]
    for step in range(1, 21):
        read_step(alone, step)
    save(alone, whole / "20", 20)
    for start, n_processes, until, lost in ((0, 2, 8, 3), (8, 3, 20, 0)):
        processes = [open_blocks(plan, other, i, n_processes) for i in range(n_processes)]
        if start:
            for blocks in processes:
                blocks.load_position(other / str(start), start)
        for step in range(start + 1, until + 1):
            read_step(processes, step)
            if step == until:
                save(processes, other / str(step), step)
        for step in range(until + 1, until + lost + 1):
            read_step(processes, step)
        if lost:  # saved, but the checkpoint was not finished
            save(processes, other / "lost", until + lost)
    assert pieces(whole) == pieces(other)
    assert processes[0].list_packages() == alone[0].list_packages() != set()
    summary = json.loads((other / "stream.json").read_text())
    assert summary["documents"] >= len({row["path"] for row in pieces(other)})
    assert summary["licences"] == dict(alone[0].count_licences())
    n_tokens = sum(sum(row["tokens"]) for row in pieces(whole))
    assert n_tokens >= 20 * BATCH * 64


@pytest.mark.parametrize("is_published", [False, True])
def test_a_run_that_goes_on_elsewhere_knows_what_was_read(plan, tmp_path, is_published):
    """If it fails, NOTICE leaves out what was read before, without a word."""
    alone = [open_blocks(plan, tmp_path / "one")]
    read_steps(alone, range(1, 9))
    checkpoint = tmp_path / "one/checkpoints/step-00000008"
    save(alone, checkpoint, 8)
    if is_published:
        (checkpoint / "training_state.json").write_text('{"step": 8}')
        (tmp_path / "branch").mkdir()
        link_artifact(checkpoint, tmp_path / "branch", with_state=True)
    read_step(alone, 9)
    save(alone, tmp_path / "one/checkpoints/step-00000009", 9)
    if is_published:
        checkpoint = tmp_path / "branch"
    other = [open_blocks(plan, tmp_path / "two")]
    with pytest.raises(CorpusError, match="does not say which documents"):
        other[0].load_position(checkpoint, 8)
    other[0].import_record(checkpoint, 8)
    other[0].load_position(checkpoint, 8)
    read_step(other, 9)
    save(other, tmp_path / "two/checkpoints/step-00000009", 9)
    assert other[0].list_packages() == alone[0].list_packages() != set()
    assert pieces(tmp_path / "two") == pieces(tmp_path / "one")


def test_a_checkpoint_that_does_not_say_what_was_read_is_one_sentence(plan, tmp_path):
    with pytest.raises(PrerequisiteError, match="copy its run's folder 'documents' too"):
        open_blocks(plan, tmp_path / "run").import_record(tmp_path / "alone", 8)


def pieces(run):
    rows = [row for _, path in list_logs(run / "documents") for row in read_log(path).to_pylist()]
    return sorted(rows, key=json.dumps)


def test_damaged_and_foreign_positions_are_one_sentence(plan, tmp_path):
    blocks = open_blocks(plan, tmp_path)
    read_step([blocks], 1)
    save([blocks], tmp_path / "1", 1)
    path = tmp_path / "1/data_position.safetensors"
    with pytest.raises(ConfigError, match=r"4 lanes, but the config has 6"):
        open_blocks(replace(plan, n_lanes=6), tmp_path).load_position(tmp_path / "1", 1)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(PrerequisiteError, match="position in the stream is damaged"):
        blocks.load_position(tmp_path / "1", 1)
    path.unlink()
    with pytest.raises(PrerequisiteError, match="has no position in the stream"):
        blocks.load_position(tmp_path / "1", 1)


def test_slices_are_dealt_evenly_and_anew_in_each_epoch(plan):
    first, second = (deal_slices(plan.slices * 40, 4, seed=0, epoch=epoch) for epoch in (0, 1))
    assert first != second
    assert sorted(itertools.chain(*first)) == list(range(len(plan.slices) * 40))
    assert max(map(len, first)) - min(map(len, first)) <= 4


def test_lanes_divide_the_batch():
    assert [choose_lanes(n, 0) for n in (1, 8, 16, 192, 34, 17)] == [1, 8, 16, 16, 2, 1]
    assert choose_lanes(34, 17) == 17
    with pytest.raises(ConfigError, match=r"stream\.lanes is 5"):
        choose_lanes(16, 5)


def test_stages_that_a_stream_does_not_follow_are_named(capsys):
    """If it fails, one package floods a training although the config limits it."""
    stages = CorpusConfig(out=Path("x"), licences=("MIT",), balance=BalanceConfig(test_weight=0.5))
    warn_of_ignored_stages(stages, Path("stages.toml"))
    assert capsys.readouterr().err == ""
    limits = BalanceConfig(max_package_share=0.1, max_test_share=0.2)
    warn_of_ignored_stages(replace(stages, balance=limits, heldout_share=0.1), Path("stages.toml"))
    balance, share = capsys.readouterr().err.splitlines()
    assert "stages.toml sets balance.max_package_share, balance.max_test_share" in balance
    assert "set stream.heldout_share" in share
