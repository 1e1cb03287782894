"""Hostile and damaged archives."""

import gzip
import io
import random
import tarfile
import zipfile

import pytest

from training.corpus.config import ArchiveLimits
from training.corpus.readers.archives.archive_reader import read_archive
from training.corpus.readers.reading_limits import BeyondLimitsError
from training.corpus.readers.source_file import FileSelection
from training.foundation.errors import CorpusError

TEXT = b"def double(value):\n    return value + value\n\n" * 8
LIMITS = ArchiveLimits()


def read(path, limits=LIMITS, max_bytes=1_000_000):
    return {m.path: m.data if m.problem is None else m.problem
            for m in read_archive(path, limits, FileSelection(max_bytes=max_bytes))}  # fmt: skip


def add(archive, name, data=TEXT, **fields):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    archive.addfile(info, io.BytesIO(data))


def make_tar(path, mode, names=("p-1/a.py", "p-1/b.py")):
    with tarfile.open(path, mode) as archive:
        for name in names:
            add(archive, name)
    return path


def make_zip(path, method):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in ("p/a.py", "p/b.py", "p/data.bin", "p-1.dist-info/METADATA"):
            archive.writestr(name, TEXT)
    return path


MAKERS = {
    "tar": lambda path: make_tar(path, "w"),
    "tar.gz": lambda path: make_tar(path, "w:gz"),
    "tar.bz2": lambda path: make_tar(path, "w:bz2"),
    "tar.xz": lambda path: make_tar(path, "w:xz"),
    "zip": lambda path: make_zip(path, zipfile.ZIP_DEFLATED),
    "bzip2 zip": lambda path: make_zip(path, zipfile.ZIP_BZIP2),
    "lzma zip": lambda path: make_zip(path, zipfile.ZIP_LZMA),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_kind_of_archive_is_read(tmp_path, kind):
    members = read(MAKERS[kind](tmp_path / "archive"))
    assert [data for path, data in members.items() if path.endswith(".py")] == [TEXT, TEXT]
    assert not any(path.endswith(".bin") for path in members)


@pytest.mark.parametrize("kind", MAKERS)
def test_damage_anywhere_is_one_sentence(tmp_path, kind):
    """If it fails, a flipped bit in a download ends the run in a traceback."""
    whole = MAKERS[kind](tmp_path / "archive").read_bytes()
    chance = random.Random(kind)
    damaged, refusals = tmp_path / "damaged", []
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 3, 20))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        damaged.write_bytes(data[: chance.randrange(len(data))] if chance.random() < 0.3 else data)
        try:
            read(damaged)
        except CorpusError as error:
            refusals.append(str(error))
    assert refusals, "no damage was noticed at all"
    assert all(str(damaged) in refusal for refusal in refusals)


def test_headers_cannot_evade_the_limits(tmp_path):
    """If it fails, 300 kB fill hundreds of megabytes of memory before a limit is asked."""
    path, n_bytes = tmp_path / "bomb.tar.gz", 300 << 20
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, n_bytes
    with gzip.open(path, "wb", 6) as file:
        file.write(info.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(n_bytes >> 20):
            file.write(bytes(1 << 20))
    with pytest.raises(BeyondLimitsError, match=r"bomb\.tar\.gz has a header of"):
        read(path)


def test_many_small_headers_cannot_evade_the_limits(tmp_path):
    path = tmp_path / "bomb.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for i in range(70):
            add(archive, f"p-1/{i}.py", pax_headers={"comment": "x" * 1_000_000})
    with pytest.raises(BeyondLimitsError, match="in all"):
        read(path, ArchiveLimits(max_ratio=10**6))


@pytest.mark.parametrize("limits", [ArchiveLimits(max_members=1), ArchiveLimits(max_total_bytes=9)])
@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_limits_hold_for_both_kinds(tmp_path, kind, limits):
    with pytest.raises(BeyondLimitsError):
        read(MAKERS[kind](tmp_path / "archive"), limits)


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_a_large_member_is_reported_without_being_read(tmp_path, kind):
    members = read(MAKERS[kind](tmp_path / "archive"), max_bytes=len(TEXT) - 1)
    assert set(members.values()) == {"too large"}


def test_names_of_any_bytes_become_text(tmp_path):
    """If it fails, one oddly named file stops the writing of the corpus."""
    path = make_tar(tmp_path / "odd.tar.gz", "w:gz", ["p-1/caf\udce9.py"])
    assert list(read(path)) == ["p-1/caf\ufffd.py"]


def test_links_and_devices_are_skipped(tmp_path):
    path = tmp_path / "links.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        add(archive, "p-1/a.py")
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            add(archive, "p-1/link.py", b"", type=kind, linkname="/etc/passwd")
    assert list(read(path)) == ["p-1/a.py"]


def test_another_file_is_not_an_archive(tmp_path):
    path = tmp_path / "page.tar.gz"
    path.write_text("<html>not found</html>")
    with pytest.raises(CorpusError, match=r"page\.tar\.gz is damaged, or neither"):
        read(path)
