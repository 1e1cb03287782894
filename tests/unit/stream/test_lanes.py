"""A lane of a stream: the same blocks from any window on, every document once an epoch."""

import csv
import hashlib
import io
import itertools
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from doubles.stream_maker import STAGES, make_plan, make_records, open_lane, write_lines

from training.config import StreamConfig
from training.corpus.config import SourcesConfig
from training.corpus.readers.records.record_slices import FileSlice, RecordFile
from training.corpus_reader import StoredDocument
from training.foundation.errors import CorpusError
from training.shards.blocks import BlockReader
from training.shards.encoding import encode_documents
from training.shards.shards_meta import ShardsMeta
from training.stream import document_reader, heldout_blocks
from training.stream.document_reader import DocumentReader, LanePosition
from training.stream.document_stages import DocumentStages
from training.stream.heldout_blocks import is_heldout_by_document, write_heldout
from training.stream.lane import SEEN
from training.stream.lane_state import dump_states, load_states


@pytest.fixture(scope="module")
def tokenizer_file(byte_tokenizer, tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    byte_tokenizer.save(path)
    return path


def write_files(folder, kind, n_files=2, n_documents=20):
    for number in range(n_files):
        records = make_records(range(number * n_documents, (number + 1) * n_documents))
        path = folder / f"part-{number}{kind}"
        if kind == ".parquet":
            pq.write_table(pa.Table.from_pylist(records), path, row_group_size=4)
        elif kind == ".csv":
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, records[0])
                writer.writeheader()
                writer.writerows(records)
        else:
            write_lines(path, records)
    return folder / f"*{kind}"


KINDS = (".jsonl", ".jsonl.gz", ".parquet", ".csv")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_files", [1, 5])
def test_each_lane_reads_its_part_and_all_read_everything_once(
    tmp_path, tokenizer_file, kind, n_files
):
    """If it fails, lanes (and so processes and workers) get no data, or the same as others."""
    pattern = write_files(tmp_path, kind, n_files, 9)
    plan = make_plan(tokenizer_file, pattern)
    for epoch in (0, 1):
        shares = [read_epoch(plan, lane, epoch) for lane in range(plan.n_lanes)]
        assert all(shares), "a lane without data"
        found = sorted(itertools.chain(*shares))
        assert found == sorted(f"pkg/m{n}.py" for n in range(n_files * 9))


def read_epoch(plan, lane, epoch):
    reader = DocumentReader(
        plan.slices,
        n_lanes=plan.n_lanes,
        lane=lane,
        seed=plan.seed,
        config=plan.stages,
        stages=plan.open_stages(),
    )
    found = reader.iterate(LanePosition(epoch=epoch))
    of_epoch = itertools.takewhile(lambda read: read[1].epoch == epoch, found)
    return [document.path for documents, _ in of_epoch for document in documents]


def number_of(row):
    return int(row["path"].removeprefix("pkg/m").removesuffix(".py"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_lane_goes_on_from_any_window_again_and_again(tmp_path, tokenizer_file, kind):
    """If it fails, a run that is resumed (for the second time, say) reads other blocks."""
    plan = make_plan(tokenizer_file, write_files(tmp_path, kind))
    opened, windows = open_lane(plan), []
    while len(windows) < 9:
        windows.append(opened.make_window())
    assert windows[-1].after.facts.position.epoch > 1
    state = windows[0].before
    for window in windows:  # each time from what was saved the time before
        again = open_lane(plan, state=load_states(dump_states([state]))[0]).make_window()
        assert np.array_equal(again.tokens, window.tokens)
        assert np.array_equal(again.pieces, window.pieces)
        assert again.documents == window.documents
        state = again.after


def test_blocks_are_those_that_shards_would_have(tmp_path, tokenizer_file):
    """If it fails, streamed training lays documents out otherwise than shards do."""
    path = write_lines(tmp_path / "a.jsonl", make_records(range(8)))
    plan = make_plan(tokenizer_file, path, n_lanes=1, shuffle_blocks=1, shuffle_documents=8)
    window = open_lane(plan).make_window()
    stored = [
        StoredDocument(**row, text=record["content"])
        for (_, row), record in zip(
            sorted(window.documents, key=lambda d: number_of(d[1])),
            make_records(range(8)),
            strict=True,
        )
    ]
    group = encode_documents(
        stored, tokenizer=plan.tokenizer, shards=plan.shards, order="1:0:0:0", seed="0"
    )
    whole = group.tokens[: group.tokens.size // 64 * 64].reshape(-1, 64)
    assert sorted(map(tuple, whole.tolist())) == sorted(map(tuple, window.tokens.tolist()))


def test_blocks_and_documents_change_their_order_with_seed_and_epoch(tmp_path, tokenizer_file):
    plan = make_plan(tokenizer_file, write_files(tmp_path, ".jsonl"), n_lanes=1)
    texts = []
    for changed in (plan, replace(plan, seed=2)):
        opened, paths = open_lane(changed), []
        for _ in range(10):
            paths += [row["path"] for _, row in opened.make_window().documents]
        texts.append(paths)
    assert texts[0] != texts[1]
    assert texts[0][:40] != sorted(texts[0][:40])


def test_a_document_that_was_seen_is_dropped_but_not_in_the_next_epoch(tmp_path, tokenizer_file):
    records = make_records(range(6)) * 2
    path = write_lines(tmp_path / "a.jsonl", records)
    plan = make_plan(tokenizer_file, path, n_lanes=1)
    opened = open_lane(plan)
    state = opened.make_window().after
    while state.facts.position.epoch < 2:
        state = opened.make_window().after
    assert state.facts.drops[SEEN] >= 12
    assert state.facts.n_documents >= 12
    kept = make_plan(tokenizer_file, path, n_lanes=1, seen_documents=0)
    assert SEEN not in open_lane(kept).make_window().after.facts.drops


def test_drops_are_counted_and_a_stream_without_documents_ends(tmp_path, tokenizer_file):
    """If it fails, a run on files without a usable licence reads them forever."""
    path = write_lines(tmp_path / "a.jsonl", make_records(range(6), license="gpl-3.0"))
    with pytest.raises(CorpusError, match=r"no document .*licence 18"):
        open_lane(make_plan(tokenizer_file, path, n_lanes=1)).make_window()


def test_private_documents_are_a_counted_drop(tmp_path, tokenizer_file):
    """If it fails, a stream trains on files that a corpus of the same config leaves out."""
    path = write_lines(tmp_path / "a.jsonl", make_records(range(12)))
    stages = replace(STAGES, sources=SourcesConfig(private_globs=("pkg/m1*.py",)))
    plan = make_plan(tokenizer_file, path, n_lanes=1, stages=stages)
    assert read_epoch(plan, 0, 0) == [f"pkg/m{n}.py" for n in (0, *range(2, 10))]
    assert open_lane(plan).make_window().after.facts.drops["private"]


def test_the_rest_of_a_damaged_file_is_a_counted_drop(tmp_path, tokenizer_file):
    """If it fails, one damaged file among thousands ends a run of days."""
    write_lines(tmp_path / "a.jsonl.gz", make_records(range(30)))
    broken = write_lines(tmp_path / "b.jsonl.gz", make_records(range(30, 60)))
    broken.write_bytes(broken.read_bytes()[:-40])
    plan = make_plan(tokenizer_file, tmp_path / "*.gz", n_lanes=1)
    opened = open_lane(plan)
    state = opened.make_window().after
    while state.facts.position.epoch == 0:
        state = opened.make_window().after
    assert state.facts.drops["rest of a damaged file"] == 1


def test_a_file_that_is_gone_ends_the_run_with_a_sentence(tmp_path, tokenizer_file):
    """If it fails, the order of the data depends on whether a disk was there."""
    path = write_lines(tmp_path / "a.jsonl", make_records(range(6)))
    plan = make_plan(tokenizer_file, path, n_lanes=1)
    path.unlink()
    with pytest.raises(CorpusError, match=r"a\.jsonl cannot be read any more \(.*No such file"):
        open_lane(plan).make_window()


@pytest.mark.parametrize(("n_packages", "by_document"), [(200, False), (1, True)])
def test_what_is_held_out_is_not_trained_on(tmp_path, tokenizer_file, n_packages, by_document):
    """If it fails, a streamed run is validated on what it was trained on, or on nothing."""
    records = [
        record | {"repo_name": f"owner/repo{number % n_packages}"}
        for number, record in enumerate(make_records(range(200)))
    ]
    path = write_lines(tmp_path / "a.jsonl", records)
    plan = make_plan(tokenizer_file, path, n_lanes=1, heldout_share=0.1)
    settings = StreamConfig(files=str(path), heldout_share=0.1, heldout_blocks=200)
    meta = ShardsMeta(block_tokens=64, vocab_size=plan.tokenizer.vocab_size)
    write_heldout(tmp_path, plan, (), meta=meta, settings=settings)
    folder = tmp_path / "heldout"
    assert is_heldout_by_document(folder) is by_document
    assert len(BlockReader(folder, "heldout")) > 10
    heldout = pq.read_table(folder / "heldout.documents.parquet")["path"].to_pylist()
    trained = read_epoch(replace(plan, heldout_by_document=by_document), 0, 0)
    assert sorted(heldout + trained) == sorted(record["path"] for record in records)
    before = (folder / "shards.json").stat().st_mtime_ns
    write_heldout(tmp_path, plan, (), meta=meta, settings=settings)
    assert (folder / "shards.json").stat().st_mtime_ns == before


def test_all_that_the_stages_hold_out_is_held_out(tmp_path, tokenizer_file):
    """If it fails, whoever gives the config of a corpus trains on what it holds out."""
    records = make_records(range(60))
    digest = hashlib.sha256(records[9]["content"].encode()).hexdigest()
    names = tmp_path / "list.txt"
    names.write_text(f"Owner/Repo3\nowner/repo4/pkg/m4.py\n{digest}\n")
    path = write_lines(tmp_path / "a.jsonl", records)
    stages = replace(
        STAGES, heldout_list=names, heldout_files=("pkg/m7.py",), heldout=("owner/repo5",)
    )
    plan = make_plan(tokenizer_file, path, n_lanes=1, stages=stages)
    settings = StreamConfig(files=str(path), heldout_blocks=200)
    meta = ShardsMeta(block_tokens=64, vocab_size=plan.tokenizer.vocab_size)
    write_heldout(tmp_path, plan, (), meta=meta, settings=settings)
    table = pq.read_table(tmp_path / "heldout/heldout.documents.parquet")
    heldout = {f"pkg/m{n}.py" for n in (3, 4, 5, 7, 9, 53, 55)}
    assert set(table["path"].to_pylist()) == heldout
    assert not heldout & set(read_epoch(plan, 0, 0))


def test_an_interrupted_collection_of_what_is_held_out_is_done_again(
    tmp_path, tokenizer_file, monkeypatch
):
    """If it fails, the run cannot be started any more."""
    records = [record | {"repo_name": "one/repository"} for record in make_records(range(200))]
    path = write_lines(tmp_path / "a.jsonl", records)
    plan = make_plan(tokenizer_file, path, n_lanes=1, heldout_share=0.1)
    settings = StreamConfig(files=str(path), heldout_share=0.1, heldout_blocks=200)
    meta = ShardsMeta(block_tokens=64, vocab_size=plan.tokenizer.vocab_size)

    class Interrupted(DocumentStages):
        def __init__(self, *arguments, by_document):
            if by_document:
                raise KeyboardInterrupt
            super().__init__(*arguments, by_document=by_document)

    with monkeypatch.context() as patch:
        patch.setattr(heldout_blocks, "DocumentStages", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_heldout(tmp_path, plan, (), meta=meta, settings=settings)
    write_heldout(tmp_path, plan, (), meta=meta, settings=settings)
    assert len(BlockReader(tmp_path / "heldout", "heldout")) > 10


class FlakyStorage(fsspec.get_filesystem_class("file")):
    """A storage whose connections break off: every other one that is opened, after 600 bytes."""

    protocol = "flaky"
    cachable = False
    n_opened = 0
    is_down = False

    def _open(self, path, mode="rb", **_options):
        FlakyStorage.n_opened += 1
        content = Path(path).read_bytes()
        is_cut = FlakyStorage.is_down or FlakyStorage.n_opened % 2
        return FlakyFile(content, 0 if FlakyStorage.is_down else 600 if is_cut else 1 << 40)


class FlakyFile(io.BytesIO):
    def __init__(self, content, n_good):
        super().__init__(content)
        self.left = n_good

    def read(self, n_bytes=-1):
        found = super().read(n_bytes)
        self.left -= len(found)
        if self.left < 0:
            raise OSError("the connection was lost")
        return found

    def readline(self, n_bytes=-1):
        found = super().readline(n_bytes)
        self.left -= len(found)
        if self.left < 0:
            raise OSError("the connection was lost")
        return found


@pytest.fixture
def move_away(monkeypatch):
    """Returns what makes of a local file one in the flaky storage, which is opened at once."""
    monkeypatch.setattr(document_reader, "WAITS_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(FlakyStorage, "n_opened", 0)
    fsspec.register_implementation("flaky", FlakyStorage, clobber=True)
    return lambda path: RecordFile(path=f"flaky://{path}", n_bytes=path.stat().st_size)


@pytest.mark.parametrize("kind", [".jsonl", ".jsonl.gz"])
def test_a_remote_file_that_breaks_off_is_read_on(
    tmp_path, tokenizer_file, monkeypatch, move_away, kind
):
    """If it fails, a fault of the network changes the order of the data, or ends the run."""
    path = write_lines(tmp_path / f"a{kind}", make_records(range(30)))
    local = make_plan(tokenizer_file, path, n_lanes=1)
    plan = replace(local, slices=(FileSlice(file=move_away(path)),))
    assert read_epoch(plan, 0, 0) == read_epoch(local, 0, 0)
    assert FlakyStorage.n_opened > 1
    monkeypatch.setattr(FlakyStorage, "is_down", True)
    with pytest.raises(CorpusError, match=r"cannot be read any more \(the connection was lost\)"):
        read_epoch(plan, 0, 0)


def test_a_remote_file_that_breaks_off_is_held_out_as_a_whole(
    tmp_path, tokenizer_file, monkeypatch, move_away
):
    """If it fails, a fault of the network ends the start of a run, and other processes wait."""
    path = write_lines(tmp_path / "a.jsonl", make_records(range(30)))
    plan = make_plan(tokenizer_file, path, n_lanes=1)
    settings = StreamConfig(files=str(path), heldout_files=str(path), heldout_blocks=200)
    meta = ShardsMeta(block_tokens=64, vocab_size=plan.tokenizer.vocab_size)
    write_heldout(tmp_path, plan, (move_away(path),), meta=meta, settings=settings)
    table = pq.read_table(tmp_path / "heldout/heldout.documents.parquet")
    assert sorted(map(number_of, table.to_pylist())) == list(range(30))
    monkeypatch.setattr(FlakyStorage, "is_down", True)
    with pytest.raises(CorpusError, match=r"cannot be read any more \(the connection was lost\)"):
        write_heldout(tmp_path / "b", plan, (move_away(path),), meta=meta, settings=settings)
