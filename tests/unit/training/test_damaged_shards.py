"""Shards that were damaged, or made elsewhere, end a command with one sentence."""

import io
import json
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.foundation.errors import CorpusError
from training.licensing.attribution import DOCUMENTS_FILE
from training.shards.blocks import (
    PIECE_DTYPE,
    BlockReader,
    ShardWriter,
    join_pieces,
    pieces_file,
    tokens_file,
)
from training.shards.packing import Piece
from training.shards.shards_meta import META_FILE

BLOCK, VOCAB = 32, 500


@pytest.fixture
def shards(tmp_path):
    """Two blocks of two pieces each."""
    writer = ShardWriter(
        tmp_path, "train", block_tokens=BLOCK, blocks_per_shard=9, vocab_size=VOCAB
    )
    pieces = [
        (i, Piece(ids=[0, *range(20, 20 + n - 1)], is_fim=False))
        for i, n in enumerate((20, 12) * 2)
    ]
    writer.add(*join_pieces(pieces))
    writer.flush()
    meta = {
        "block_tokens": BLOCK,
        "vocab_size": VOCAB,
        "shard_blocks": {"train": writer.shard_blocks},
    }
    (tmp_path / META_FILE).write_text(json.dumps(meta))
    return tmp_path


def read_all(folder):
    reader = BlockReader(folder, "train")
    for index in range(len(reader)):
        reader.read_documents(index)
    return reader.read_batch(0, len(reader), seed=0)


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.npy", npy(np.zeros(3)))
    return buffer.getvalue()


def records(*firsts):
    return npy(np.array([(first, 0, False) for first in firsts], PIECE_DTYPE))


def test_intact_shards_are_read(shards):
    assert read_all(shards).ids.shape == (2, BLOCK)


def write_table(shards, paths):
    pq.write_table(pa.table({"path": paths}), shards / DOCUMENTS_FILE)


def test_the_reader_says_which_documents_are_distilled(shards):
    """If it fails, an adaptation keeps the repository as it was and learns the general code."""
    write_table(shards, ["replay/a.py", "b.py", "c/replay/d.py", "replay/e.py"])
    reader = BlockReader(shards, "train", distilled_paths="replay/")
    marked = reader.read_blocks([0, 1]).is_distilled
    assert marked.tolist() == [[True] * 20 + [False] * 12, [False] * 20 + [True] * 12]
    assert BlockReader(shards, "train", distilled_paths="").read_blocks([1]).is_distilled.all()
    assert BlockReader(shards, "train").read_blocks([1]).is_distilled is None


@pytest.mark.parametrize("paths", [None, [], ["a.py"], ["a.py", "b.py", "c.py"]])
def test_a_table_that_lacks_documents_gets_one_sentence(shards, paths):
    if paths is not None:
        write_table(shards, paths)
    with pytest.raises(CorpusError, match="prepare the shards again"):
        BlockReader(shards, "train", distilled_paths="").read_blocks([0, 1])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        zipped(),
        npy(np.zeros((2, BLOCK), np.uint16))[:-1],
        npy(np.zeros((2, BLOCK), np.float64)),
        npy(np.zeros((2, BLOCK), np.int64)),
        npy(np.zeros((1, BLOCK), np.uint16)),
        npy(np.zeros(2 * BLOCK, np.uint16)),
        npy(np.full((2, BLOCK), VOCAB, np.uint16)),
        npy(np.zeros((2, BLOCK), np.uint16)).replace(b"(2, 32)", b"(9**99,)"),
        b"\x93NUMPY\x01\x00\x76\x00" + b"(" * 117 + b"\n",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 2\n",
    ],
)
def test_damaged_tokens_get_one_sentence(shards, data):
    """If it fails, a flipped bit ends a training in a traceback out of an embedding."""
    tokens_file(shards, "train", 0).write_bytes(data)
    with pytest.raises(CorpusError, match="prepare the shards again"):
        read_all(shards)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        npy(np.zeros(3)),
        npy(np.zeros((2, 2), PIECE_DTYPE)),
        records(),
        records(5, 20, 32, 52),
        records(0, 20, 20, 32),
        records(0, 40, 20, 32),
    ],
)
def test_damaged_pieces_get_one_sentence(shards, data):
    pieces_file(shards, "train", 0).write_bytes(data)
    with pytest.raises(CorpusError, match="prepare the shards again"):
        read_all(shards)


@pytest.mark.parametrize(
    "change",
    [
        {"block_tokens": 0},
        {"block_tokens": -1},
        {"block_tokens": 10**30},
        {"vocab_size": -1},
        {"shard_blocks": {"train": [0]}},
        {"shard_blocks": {"train": [-2]}},
        {"shard_blocks": {"train": [1] * 100_000}},
        {"shard_blocks": {"train": []}},
        {"shard_blocks": {}},
        {"shard_blocks": None},
    ],
)
def test_an_impossible_description_gets_one_sentence(shards, change):
    meta = json.loads((shards / META_FILE).read_text())
    (shards / META_FILE).write_text(json.dumps(meta | change))
    with pytest.raises(CorpusError):
        read_all(shards)
