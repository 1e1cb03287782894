"""Records of source files: every form gives the same documents, damage is counted."""

import gzip
import io
import json
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from doubles.record_reading import read_hub, read_records

from training.corpus.config import ArchiveLimits, RecordFields
from training.corpus.corpus_document import Document, to_table
from training.corpus.readers.records.record_parsing import DAMAGED_RECORD, RecordParser
from training.corpus.readers.source_file import TOO_LARGE
from training.foundation.errors import CorpusError

PARSER = RecordParser(fields=RecordFields(), package="a.jsonl", max_bytes=1_000_000)
LIMITS = ArchiveLimits()
ROWS: list[dict[str, Any]] = [
    {"repo_name": "a/b", "path": "x.py", "license": "mit", "content": "x = 1\n", "stars": 7},
    {
        "repo_name": "c/d",
        "path": "ü.py",
        "license": ["mit", "apache-2.0"],
        "content": "ü = '\\0'\n",
    },
    {"text": "y = 2\n"},
]


def read(path, parser=PARSER, limits=LIMITS):
    return read_records(path, parser, limits)


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def write(path):
    data = lines(ROWS)
    if path.suffix == ".gz":
        data = gzip.compress(data)
    if path.suffix == ".zst":
        data = pa.compress(data, codec="zstd", asbytes=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "name", ["a.json", "a.jsonl", "a.json.gz", "a.jsonl.gz", "a.json.zst", "a.jsonl.zst"]
)
def test_every_compression_gives_the_same_records(tmp_path, name):
    first, second, third = read(write(tmp_path / name))
    assert (first.origin.package, first.path, first.origin.licence) == ("a/b", "x.py", "MIT")
    assert (first.data, first.origin.facts) == (b"x = 1\n", {"stars": 7.0})
    assert (second.origin.licence, second.data.decode()) == ("Apache-2.0 AND MIT", "ü = '\\0'\n")
    assert (third.origin.package, third.path) == ("a.jsonl", "record_3.py")
    assert third.origin.licence == "UNKNOWN"


def test_parquet_gives_the_same_records(tmp_path):
    rows = [{"repo_name": r.get("repo_name"), "content": r.get("content")} for r in ROWS[:2]]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    found = list(read(tmp_path / "a.parquet"))
    assert [r.data.decode() for r in found] == [r["content"] for r in rows]


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.csv"])
def test_a_notebook_of_a_corpus_is_read_again_as_the_code_that_it_became(tmp_path, name):
    """If it fails, a published corpus with a notebook cannot be fetched, nor a stream read it."""
    text = "y = 2\n"
    table = to_table(
        [Document(package="p", version="1", path="a.ipynb", licence="MIT", text=text)] * 2
    )
    path = tmp_path / name
    if name.endswith(".parquet"):
        pq.write_table(table, path)
    elif name.endswith(".csv"):
        pa.csv.write_csv(table, path)
    else:
        path.write_bytes(lines(table.to_pylist()))
    assert [(r.path, r.data, r.problem) for r in read(path)] == [("a.ipynb", b"y = 2\n", None)] * 2


def test_a_dataset_is_read_as_a_stream(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_bytes(lines(ROWS[:1] * 3))
    found = list(read_hub(str(tmp_path / "data"), PARSER, LIMITS))
    assert [r.path for r in found] == ["x.py"] * 3


def test_a_dataset_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CorpusError, match=r"sources\.hub"):
        list(read_hub(str(tmp_path / "nowhere"), PARSER, LIMITS))


def test_damaged_records_are_counted_and_the_rest_is_read(tmp_path):
    """If it fails, one bad line among millions ends the run, or fills the memory."""
    long = lines([{"content": "z" * 5000}])
    deep = b"[" * 700 + b"\n"
    data = b'{"cut\n\n[1]\n' + long + deep + b'{"content": 5}\n\xff\xfe\n' + lines(ROWS[:1])
    (tmp_path / "a.jsonl").write_bytes(data)
    found = list(read(tmp_path / "a.jsonl", replace(PARSER, max_bytes=100)))
    damaged = [DAMAGED_RECORD, DAMAGED_RECORD, TOO_LARGE, *[DAMAGED_RECORD] * 3]
    assert [r.problem for r in found] == [*damaged, None]


@pytest.mark.parametrize("name", ["a.json.gz", "a.json.zst", "a.parquet"])
def test_a_damaged_file_is_named(tmp_path, name):
    good = write(tmp_path / name).read_bytes() if name != "a.parquet" else b"PAR1" + b"x" * 50
    (tmp_path / name).write_bytes(good[: len(good) // 2])
    with pytest.raises(CorpusError, match=name):
        list(read(tmp_path / name))


def test_a_bomb_is_streamed(tmp_path):
    """If it fails, a small file fills the memory."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        for _ in range(48):
            file.write(b"0" * (1 << 20))
    (tmp_path / "a.json.gz").write_bytes(packed.getvalue())
    assert [r.problem for r in read(tmp_path / "a.json.gz")] == [TOO_LARGE]
