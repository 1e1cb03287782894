"""Slices of files of records: together the whole file, each from any position, within limits."""

import csv
import gzip
import json
import zipfile
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from doubles.record_reading import read_records

from training.corpus.config import ArchiveLimits, CorpusConfig, RecordFields, SourcesConfig
from training.corpus.extraction.source_list import list_sources
from training.corpus.readers.reading_limits import BeyondLimitsError
from training.corpus.readers.records.record_files import SLICE_BYTES, expand_zip
from training.corpus.readers.records.record_parsing import DAMAGED_RECORD, RecordParser
from training.corpus.readers.records.record_slices import FileSlice, RecordFile, iterate_slice
from training.corpus.readers.source_contents import open_source
from training.foundation.errors import CorpusError

PARSER = RecordParser(fields=RecordFields(), package="a", max_bytes=10_000)
ROWS = [{"path": f"m{n}.py", "content": f"# é {n}\n" * (n % 7 + 1)} for n in range(23)]
KINDS = (
    *("a.jsonl", "a.jsonl.gz", "a.json.zst", "a.parquet", "a.csv", "a.tsv.gz"),
    *("a.gz.zip", "a.zst.zip"),
)


def pack(suffix, data):
    packed = {".gz": gzip.compress(data), ".zst": pa.compress(data, "zstd", asbytes=True)}
    return packed.get(suffix, data)


def write(path):
    data = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=4)
    elif path.name == "a.csv":
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, ROWS[0])
            writer.writeheader()
            writer.writerows(ROWS)
    elif path.name == "a.tsv.gz":
        lines = [f'{row["path"]}\t"{row["content"]}"\n' for row in ROWS]
        path.write_bytes(gzip.compress("".join(["path\tcontent\n", *lines]).encode()))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            suffix = path.suffixes[0]
            archive.writestr(f"folder/a.jsonl{suffix}", pack(suffix, data))
            archive.writestr("README.md", "no records")
    else:
        path.write_bytes(pack(path.suffix, data))
    return RecordFile(path=str(path), n_bytes=path.stat().st_size)


def open_file(path):
    (file,) = expand_zip(write(path), "advice")
    return file


def texts(read):
    found = [PARSER.parse(row, 1) for one in read for row in one.rows]
    assert not any(file.problem for file in found)
    return [file.data.decode() for file in found]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_slices_are_the_whole_file_and_go_on_anywhere(tmp_path, name, count):
    """If it fails, streamed training leaves records out, or reads some twice."""
    file = open_file(tmp_path / name)
    found = []
    for index in range(count):
        part = FileSlice(file=file, index=index, count=count)
        read = list(iterate_slice(part, PARSER, ArchiveLimits()))
        found += texts(read)
        for number, one in enumerate(read):
            rest = list(iterate_slice(part, PARSER, ArchiveLimits(), one.after))
            assert rest == read[number + 1 :]
    assert sorted(found) == sorted(row["content"] for row in ROWS)
    if count == 1:
        assert found == [row["content"] for row in ROWS]


@pytest.mark.parametrize("name", KINDS)
def test_a_corpus_reads_the_same_records(tmp_path, name):
    file = write(tmp_path / name)
    read = read_records(tmp_path / file.path, PARSER, ArchiveLimits())
    assert [(f.path, f.data.decode()) for f in read] == [(r["path"], r["content"]) for r in ROWS]


def test_a_text_is_one_record_and_bounded(tmp_path):
    (tmp_path / "tool.py").write_text("x = 1\n")
    (tmp_path / "large.txt").write_text("x" * 10_001)
    (one,) = read_records(tmp_path / "tool.py", PARSER, ArchiveLimits())
    assert (one.path, one.data, one.origin.package) == ("tool.py", b"x = 1\n", "a")
    (large,) = read_records(tmp_path / "large.txt", PARSER, ArchiveLimits())
    assert large.problem == "too large"


@pytest.mark.parametrize(
    "rows",
    [
        'path,content\n"' + "x\n" * 50_000,  # a quote that is never closed
        "path,content\n" + 'x,"\n",' * 50_000,  # values without end
        "path,content\n" + "x" * 200_000,
        "p," * 2_000 + "\n",
        "",
    ],
)
def test_a_row_of_csv_without_end_is_bounded(tmp_path, rows):
    """If it fails, a few bytes of gzip fill the memory."""
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(rows.encode()))
    with pytest.raises(CorpusError, match=r"a\.csv\.gz is damaged \("):
        list(read_records(path, PARSER, ArchiveLimits()))


def test_csv_text_that_is_not_utf8_spoils_no_other_row(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"content,path\ncaf\xe9,\xe9.py\nx,b.py,more\ny\n")
    first, second, third = read_records(tmp_path / "a.csv", PARSER, ArchiveLimits())
    assert (first.data, first.path) == (b"caf\xe9", "\ufffd.py")
    assert (second.data, second.path, third.data) == (b"x", "b.py", b"y")


def test_a_carriage_return_in_csv_spoils_no_other_row(tmp_path):
    """If it fails, one such line ends the build of a corpus, and drops the rest in a stream."""
    (tmp_path / "a.csv").write_bytes(b'content,path\nx,a.py\ny\rz,b.py\nw,c.py\r\n"v\ru",d.py\n')
    found = list(read_records(tmp_path / "a.csv", PARSER, ArchiveLimits()))
    assert [(file.data, file.problem) for file in found] == [
        *((b"x", None), (b"", DAMAGED_RECORD), (b"w", None), (b"v\ru", None)),
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "deep/a.txt.zst"])
def test_what_macos_adds_to_an_archive_is_no_file_of_records(tmp_path, name):
    """If it fails, an archive of records that the Finder has made ends the build of a corpus."""
    path = tmp_path / "a.zip"
    folder, _, last = name.rpartition("/")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"")
        archive.writestr(f"__MACOSX/{folder}/._{last}", b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
        archive.writestr(f"deep/.{last.partition('.')[2]}", b"")
    files = expand_zip(RecordFile(path=str(path), n_bytes=path.stat().st_size), "advice")
    assert [file.member for file in files] == [name]


def test_zip_archives_are_read_within_limits(tmp_path):
    """If it fails, a zip of a few kilobytes unpacks to gigabytes, or its members share bytes."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", b"x" * (66 << 20))
    (file,) = expand_zip(RecordFile(path=str(path), n_bytes=path.stat().st_size), "advice")
    limits = replace(ArchiveLimits(), max_ratio=2)
    with pytest.raises(BeyondLimitsError, match=r"a\.zip unpacks to more than source code"):
        list(iterate_slice(FileSlice(file=file), PARSER, limits))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(CorpusError, match=r"a\.zip is damaged"):
        list(read_records(path, PARSER, ArchiveLimits()))


def test_large_files_are_sources_of_several_processes(tmp_path, monkeypatch):
    """If it fails, one file of many gigabytes keeps a single process busy for hours."""
    monkeypatch.setitem(SLICE_BYTES, ".jsonl", 700)
    write(tmp_path / "a.jsonl")
    config = CorpusConfig(
        out=tmp_path / "out",
        licences=("MIT",),
        sources=SourcesConfig(records=(str(tmp_path / "a.jsonl"),)),
    )
    sources = list_sources(config)
    assert len(sources) > 2
    assert {source.name for source in sources} == {"a.jsonl"}
    found = [f.data.decode() for source in sources for f in open_source(source, config).files]
    assert found == [row["content"] for row in ROWS]
