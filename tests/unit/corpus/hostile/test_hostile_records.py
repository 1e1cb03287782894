"""Files of records that are small and hold much, or hold what no record has.

Those that would fill the memory are read in a process of their own, whose memory is measured.
"""

import gzip
import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from doubles.record_reading import read_hub, read_records
from fuzzing import measure

from training.corpus.config import ArchiveLimits, RecordFields
from training.corpus.readers.records.record_parsing import RecordParser
from training.foundation.errors import CorpusError

MAX_SECONDS = 20
TEXT = "def double(value):\n    return value + value\n"
PARSER = RecordParser(fields=RecordFields(), package="a", max_bytes=1_000_000)
forks = pytest.mark.skipif(sys.platform == "win32", reason="measures in a fork")


def read(path, reader=read_records):
    return list(reader(path, PARSER, ArchiveLimits()))


def measure_reading(path, reader=read_records, max_mib=200):
    def read_stream():
        files = reader(path, PARSER, ArchiveLimits())
        return [(file.problem, len(file.data)) for file in files]

    outcome, seconds, mib = measure(read_stream)
    assert mib < max_mib, outcome
    assert seconds < MAX_SECONDS, outcome
    return outcome


def repeat(value, n_rows):
    """Returns a column of one value in every row, which takes the space of one."""
    indices = pa.array([0] * n_rows, pa.int32())
    return pa.DictionaryArray.from_arrays(indices, pa.array([value]))


def write_parquet(path, columns, **more):
    pq.write_table(pa.table(columns), path, compression="zstd", **more)
    return path


BOMBS = {
    "repeated": lambda: ({"content": repeat("a" * (10 << 20), 256)}, {}),
    "repeated often": lambda: ({"content": repeat("a" * 900_000, 500_000)}, {}),
    "plain": lambda: ({"content": ["a" * (1 << 20)] * 128}, {"use_dictionary": False}),
    "prefixes": lambda: (
        {"content": [f"{'a' * (1 << 20)}{i}" for i in range(128)]},
        {"use_dictionary": False, "column_encoding": {"content": "DELTA_BYTE_ARRAY"}},
    ),
    "nothing": lambda: ({"content": pa.nulls(2_000_000, pa.string())}, {}),
    "a name": lambda: ({"content": ["x"] * 500, "path": repeat("a" * (5 << 20), 500)}, {}),
}


@forks
@pytest.mark.parametrize("name", BOMBS)
def test_a_small_parquet_file_takes_little_memory(tmp_path, name):
    """If it fails, 1.6 KB of somebody's Parquet take 2.6 GiB."""
    columns, more = BOMBS[name]()
    path = write_parquet(tmp_path / "a.parquet", columns, **more)
    assert path.stat().st_size < 20_000
    del columns
    assert "unpacks to more than source code" in measure_reading(path)


@forks
@pytest.mark.parametrize(("n_items", "item"), [(6_000_000, "mit"), (2_000_000, "m" * 1_000_000)])
def test_a_list_without_end_in_one_row_is_bounded(tmp_path, n_items, item):
    lists = pa.ListArray.from_arrays(pa.array([0, n_items], pa.int32()), repeat(item, n_items))
    path = write_parquet(tmp_path / "a.parquet", {"content": [TEXT], "license": lists})
    measure_reading(path)


@forks
def test_a_dataset_is_read_within_the_same_limits(tmp_path):
    write_parquet(tmp_path / "train.parquet", {"content": repeat("a" * (10 << 20), 256)})
    outcome = measure_reading(str(tmp_path), read_hub, max_mib=400)  # the library itself is large
    assert "unpacks to more than source code" in outcome


@forks
def test_a_long_line_is_a_counted_drop(tmp_path):
    """If it fails, 61 KB of gzip become a list of 1.5 GiB."""
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wb") as file:
        file.write(b'{"content": [' + b"[]," * (8 << 20) + b"1]}\n")
        file.write(json.dumps({"content": TEXT}).encode())
    assert measure_reading(path) == f"[('too large', 0), (None, {len(TEXT)})]"


@forks
def test_a_line_of_many_values_takes_a_multiple_of_its_size(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"content": [' + b'{"":0},' * 1_000_000 + b"1]}\n")
    assert "damaged record" in measure_reading(path, max_mib=400)


def test_packed_lines_are_bounded_by_the_files_size(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    line = json.dumps({"content": TEXT * 10_000}).encode() + b"\n"
    path.write_bytes(gzip.compress(line * (70_000_000 // len(line))))
    with pytest.raises(CorpusError, match=r"a\.jsonl\.gz unpacks to more than source code"):
        list(read_records(path, PARSER, ArchiveLimits(max_ratio=2)))


def make_text(values):
    """Returns a column of text whose bytes are not UTF-8, as other writers make it."""
    packed = pa.array(values, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(packed), packed.buffers())


def test_parquet_text_that_is_not_utf8_spoils_no_other_row(tmp_path):
    columns = {"content": make_text([b"x", b"caf\xe9"]), "path": make_text([b"\xe9.py", b"b.py"])}
    first, second = read(write_parquet(tmp_path / "a.parquet", columns))
    assert (first.data, first.path) == (b"x", "\ufffd.py")
    assert second.data == b"caf\xe9"  # dropped later: not UTF-8


@pytest.mark.parametrize(
    "column",
    [
        pa.array([10**17], pa.timestamp("us")),
        pa.array([1], pa.timestamp("us", tz="Mars/Phobos")),
        pa.array([3_000_000], pa.date32()),
        pa.array([2**62], pa.duration("us")),
        pa.array([{"a": [1]}]),
        pa.array([[[1]]]),
        pa.array([2**63], pa.uint64()),
        pa.nulls(1),
    ],
    ids=lambda column: str(column.type),
)
@pytest.mark.parametrize("name", ["created", "license", "path", "stars"])
def test_columns_of_other_types_are_no_obstacle(tmp_path, name, column):
    """If it fails, a date in the year 10000 in some column ends the run."""
    path = write_parquet(tmp_path / "a.parquet", {"content": [TEXT], name: column})
    (file,) = read(path)
    assert file.data == TEXT.encode()


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.binary(), pa.string()])
def test_every_type_of_text_is_read(tmp_path, kind):
    for column in (pa.array([TEXT], kind), pa.array([TEXT], pa.string()).dictionary_encode()):
        path = write_parquet(tmp_path / "a.parquet", {"content": column, "license": [["mit"]]})
        (file,) = read(path)
        assert (file.data, file.origin.licence) == (TEXT.encode(), "MIT")


@pytest.mark.parametrize(
    ("columns", "found"),
    [({"body": [TEXT]}, r"body \(string\)"), ({"content": [{"bytes": b"x"}]}, r"content \(struct")],
)
def test_a_file_without_text_says_what_it_has(tmp_path, columns, found):
    path = write_parquet(tmp_path / "a.parquet", columns)
    with pytest.raises(CorpusError, match=rf"a\.parquet has no column of text: found {found}"):
        read(path)


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.jsonl.gz"])
def test_a_pointer_of_git_lfs_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    with pytest.raises(CorpusError, match=r"pointer of Git LFS.*git lfs pull"):
        read(path)


def test_what_is_no_file_is_one_sentence(tmp_path):
    (tmp_path / "a.parquet").mkdir()
    (tmp_path / "a.jsonl").symlink_to("/dev/zero")
    for name in ("a.parquet", "a.jsonl", "missing.jsonl"):
        with pytest.raises(CorpusError, match=f"{name} is not a regular file"):
            read(tmp_path / name)


def test_json_of_odd_values_spoils_no_other_line(tmp_path):
    """Half a surrogate pair, numbers of 400 digits, NaN, a list of records, a byte order mark."""
    path = tmp_path / "a.jsonl"
    lines = [
        b'\xef\xbb\xbf{"content": "a"}',
        b'{"content": "\\ud83d", "path": "\\udcff.py", "repo_name": "\\ud800"}',
        b'{"content": "b", "stars": ' + b"9" * 400 + b"}",
        b'{"content": "c", "stars": NaN}',
        b'[{"content": "d"}, {"content": "e"}]',
        b"\xff\xfe{}",
        b'{"content": "f"}',
    ]
    path.write_bytes(b"\r\n".join(lines))
    found = [file.data.decode() or file.problem for file in read(path)]
    assert found == ["a", "\ufffd", "damaged record", "c", "d", "e", "damaged record", "f"]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"scripted.py": "import datasets\n"}, "scripts are no longer supported"),
        ({}, "any data files"),
        ({"train.parquet": "PAR1" + "x" * 40 + "PAR1"}, r"train\.parquet is damaged"),
        ({"train.csv": 'a,b\n"1,2\n3,4,5\n'}, "cannot be read|damaged record"),
    ],
)
def test_datasets_that_cannot_be_read_are_one_sentence(tmp_path, files, sentence):
    folder = tmp_path / "scripted"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    try:
        outcome = " ".join(file.problem or "read" for file in read(str(folder), read_hub))
    except CorpusError as error:
        outcome = str(error)
    assert "\n" not in outcome
    assert any(part in outcome.replace("\\", "") for part in sentence.replace("\\", "").split("|"))
