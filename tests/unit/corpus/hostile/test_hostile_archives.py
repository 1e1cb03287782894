"""Archives that unpack to far more than they are: each costs little time and memory.

Each is read in a process of its own, whose memory is measured.
"""

import bz2
import gzip
import io
import lzma
import random
import struct
import sys
import tarfile
import zipfile

import pytest
from fuzzing import measure

from training.corpus.config import ArchiveLimits
from training.corpus.readers.archives.archive_reader import read_archive
from training.corpus.readers.source_file import FileSelection

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="measures in a fork")

MAX_MIB, MAX_SECONDS = 64, 15
TOO_LARGE = 80 << 20  # in bytes: does not fit in that
TEXT = b"def double(value):\n    return value + value\n\n" * 8
SELECTION = FileSelection(max_bytes=1_000_000)


def read(path):
    return [
        (file.path, file.problem or len(file.data))
        for file in read_archive(path, ArchiveLimits(), SELECTION)
    ]


def measure_reading(path):
    outcome, seconds, mib = measure(lambda: read(path))
    assert mib < MAX_MIB, outcome
    assert seconds < MAX_SECONDS, outcome
    return outcome


def header(name, n_bytes, kind=tarfile.REGTYPE, layout=tarfile.USTAR_FORMAT, **more):
    info = tarfile.TarInfo(name)
    info.size, info.type = n_bytes, kind
    for key, value in more.items():
        setattr(info, key, value)
    return info.tobuf(layout)


def pad(data):
    return data + bytes(-len(data) % 512)


def good(name="p-1/good.py"):
    return header(name, len(TEXT)) + pad(TEXT)


def write(path, *pieces):
    with gzip.open(path, "wb", 6) as file:
        for piece in pieces:
            file.write(piece)
    return path


def repeat(piece, n_bytes):
    return [piece * ((1 << 20) // len(piece))] * (n_bytes >> 20)


def test_a_sparse_map_in_the_data_is_not_read(tmp_path):
    """If it fails, 2 MB of archive fill the memory with the numbers of a map."""
    n_bytes = TOO_LARGE
    pax = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "a.py",
           "GNU.sparse.realsize": "100"}  # fmt: skip
    first = header("a.py", n_bytes, layout=tarfile.PAX_FORMAT, pax_headers=pax)
    body = repeat(b"0\n", n_bytes - (1 << 20))
    path = write(tmp_path / "a.tar.gz", first, b"999999999999\n", *body)
    assert "unpacks to more than source code" in measure_reading(path)


def test_a_small_sparse_file_is_a_counted_drop(tmp_path):
    pax = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "p-1/a.py"}
    first = header("x/a.py", 512, layout=tarfile.PAX_FORMAT, pax_headers=pax)
    path = write(tmp_path / "a.tar.gz", first, bytes(512), good(), bytes(1024))
    assert read(path) == [("p-1/a.py", "sparse file"), ("p-1/good.py", len(TEXT))]


def make_old_sparse():
    block = bytearray(header("p-1/a.py", 0, tarfile.GNUTYPE_SPARSE, tarfile.GNU_FORMAT))
    for entry in range(4):
        block[386 + 24 * entry : 410 + 24 * entry] = b"00000000001\0" * 2
    block[482] = 1
    block[148:156] = b"%06o\0 " % (256 + sum(block[:148]) + sum(block[156:512]))
    more = bytearray(b"00000000001\0" * 42 + bytes(8))
    more[504] = 1
    last = bytes(more[:504] + bytes(8))
    return bytes(block), bytes(more), last


def test_an_old_sparse_map_is_skipped(tmp_path):
    first, more, last = make_old_sparse()
    path = write(tmp_path / "a.tar.gz", first, more, last, good(), bytes(1024))
    assert read(path) == [("p-1/a.py", "sparse file"), ("p-1/good.py", len(TEXT))]


def test_an_old_sparse_map_without_an_end_is_bounded(tmp_path):
    first, more, _ = make_old_sparse()
    path = write(tmp_path / "a.tar.gz", first, *repeat(more, TOO_LARGE))
    assert "unpacks to more than source code" in measure_reading(path)


def test_pax_records_take_linear_time(tmp_path):
    """If it fails, one header of 1 MB keeps a core busy for minutes."""
    for content in (b"4 a\n" * 250_000 + b"9 b=c\n", b"1" * 1_000_000, b"5 a=\n" * 200_000):
        path = write(tmp_path / "a.tar.gz", header("pax", len(content), tarfile.XHDTYPE),
                     pad(content), good(), bytes(1024))  # fmt: skip
        measure_reading(path)


def test_a_name_that_is_too_long_is_a_counted_drop(tmp_path):
    name = ("d" * 99 + "/") * 100 + "a.py"
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo(name)
        archive.addfile(info)
    path.write_bytes(path.read_bytes()[: -tarfile.RECORDSIZE + 1024] + good() + bytes(1024))
    found = read(path)
    assert [problem for _, problem in found] == ["path too long", len(TEXT)]
    assert len(found[0][0]) < 200


def open_fast_xz(path, mode):
    return lzma.open(path, mode, preset=0)


@pytest.mark.parametrize("kind", ["tar.bz2", "tar.gz", "tar.xz"])
def test_a_stream_of_one_compressed_block_is_bounded(tmp_path, kind):
    """If it fails, some kilobytes of bzip2 hold gigabytes at once."""
    n_bytes = TOO_LARGE
    path = tmp_path / f"a.{kind}"
    compression = {"tar.bz2": bz2.open, "tar.gz": gzip.open, "tar.xz": open_fast_xz}
    with compression[kind](path, "wb") as file:
        file.write(header("p-1/data.bin", n_bytes))
        for _ in range(n_bytes >> 20):
            file.write(bytes(1 << 20))
    assert "unpacks to more than source code" in measure_reading(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_a_zip_member_that_understates_its_size_is_bounded(tmp_path, method):
    """If it fails, the declared size is checked, and the real one fills the memory."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("p/a.py", bytes(TOO_LARGE))
    data = bytearray(path.read_bytes())
    entry = data.rfind(b"PK\1\2")
    data[entry + 24 : entry + 28] = struct.pack("<I", 1000)
    path.write_bytes(data)
    assert "is not what the directory says" in measure_reading(path)


def test_zip_members_that_share_their_data_are_refused(tmp_path):
    """If it fails, an archive of n bytes is read in n * n steps."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("p/a.py", random.Random(0).randbytes(50_000))
    data = path.read_bytes()
    start, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entries = data[start:end] * 500
    tail = bytearray(data[end:])
    tail[8:16] = struct.pack("<HHI", 500, 500, len(entries))
    path.write_bytes(data[:start] + entries + tail)
    limits = ArchiveLimits(max_ratio=10**6)
    with pytest.raises(Exception, match="members that overlap"):
        list(read_archive(path, limits, SELECTION))


def test_a_directory_of_a_zip_is_bounded(tmp_path):
    """If it fails, millions of empty entries fill the memory before the first is counted."""
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 1, *[0] * 4, 0, 0)
    n_entries = 1_000_000
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, (len(entry) + 1) * n_entries, 0, 0)
    path = tmp_path / "a.zip"
    path.write_bytes((entry + b"a") * n_entries + end)
    assert "has a directory of" in measure_reading(path)


def test_many_members_are_too_many(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(header("d", 0, tarfile.DIRTYPE) * 2001)
    with pytest.raises(Exception, match=r"unpacks to more.*2001 members"):
        list(read_archive(path, ArchiveLimits(max_members=2000), SELECTION))


def test_what_follows_a_damaged_header_is_not_lost_in_silence(tmp_path):
    """If it fails, half a package is taken for the whole."""
    path = write(tmp_path / "a.tar.gz", good(), b"x" * 512, good("p-1/b.py"), bytes(1024))
    with pytest.raises(Exception, match="is damaged, or neither"):
        read(path)


def test_a_pointer_of_git_lfs_is_named(tmp_path):
    path = tmp_path / "p-1.tar.gz"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    with pytest.raises(Exception, match="pointer of Git LFS"):
        read(path)


def test_an_encrypted_member_is_one_sentence(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("p/a.py", TEXT)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\3\4") + 6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(Exception, match=r"a\.zip is damaged, or neither.*encrypted"):
        read(path)


def test_members_in_pax_headers_with_any_names(tmp_path):
    """Line feeds and half surrogate pairs in names neither add lines nor stop the writing."""
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("p-1/a\nb.py", "p-1/caf\udce9.py"):
            info = tarfile.TarInfo(name)
            info.size = len(TEXT)
            archive.addfile(info, io.BytesIO(TEXT))
    assert [name for name, _ in read(path)] == ["p-1/a b.py", "p-1/caf\ufffd.py"]
