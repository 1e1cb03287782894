"""Fuzz: archives changed at random give files or one of our errors, in bounded time and memory."""

import io
import sys
import tarfile
import tracemalloc
import zipfile
from functools import partial

import pytest
from fuzzing import fuzz_reader, mutations

from training.corpus.config import ArchiveLimits
from training.corpus.readers.archives.archive_reader import read_archive
from training.corpus.readers.source_file import FileSelection
from training.foundation.errors import ParrotletError

LIMITS = ArchiveLimits(max_members=5000, max_total_bytes=8 << 20)
SELECTION = FileSelection(max_bytes=100_000, notebooks=True)
TEXT = b"def double(value):\n    return value + value\n\n" * 8
MAX_BYTES = 48 << 20  # of one archive of a few kilobytes


def make_tar(mode, layout):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode, format=layout) as archive:
        for name in ("p-1/PKG-INFO", "p-1/" + "d" * 150 + "/a.py", "p-1/b.py", "p-1/n.ipynb"):
            info = tarfile.TarInfo(name)
            info.size = len(TEXT)
            archive.addfile(info, io.BytesIO(TEXT))
        link = tarfile.TarInfo("p-1/link.py")
        link.type, link.linkname = tarfile.SYMTYPE, "x" * 120
        archive.addfile(link)
    return packed.getvalue()


def make_zip(method):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name in ("p/a.py", "p/b.py", "p-1.dist-info/METADATA"):
            archive.writestr(name, TEXT)
    return packed.getvalue()


SEEDS = {
    "tar": [make_tar("w", layout) for layout in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)],
    "packed tar": [make_tar(f"w:{kind}", tarfile.PAX_FORMAT) for kind in ("gz", "bz2", "xz")],
    "zip": [make_zip(method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)],
    "packed zip": [make_zip(method) for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)],
}


@pytest.mark.parametrize("kind", SEEDS)
def test_fuzzed_archives_give_files_or_a_sentence(tmp_path, kind):
    path = tmp_path / "p-1.tar.gz"
    read = partial(read_archive, path, LIMITS, SELECTION)
    assert fuzz_reader(read, path, SEEDS[kind], expected=ParrotletError, seed=kind)


@pytest.mark.skipif(sys.platform == "win32", reason="slow there")
@pytest.mark.parametrize("kind", SEEDS)
def test_fuzzed_archives_take_little_memory(tmp_path, kind):
    path = tmp_path / "p-1.tar.gz"
    tracemalloc.start()
    try:
        for number, data in mutations(SEEDS[kind], seed=f"memory {kind}", seconds=0.3):
            path.write_bytes(data)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            try:
                for _ in read_archive(path, LIMITS, SELECTION):
                    pass
            except ParrotletError:
                continue
            finally:
                peak = tracemalloc.get_traced_memory()[1] - before
                assert peak < MAX_BYTES, f"mutation {number} of {kind}"
    finally:
        tracemalloc.stop()
