"""Reads the members of a zip archive, such as a wheel.

:mod:`zipfile` finds the members; they are decompressed here, in bounded pieces, because it unpacks
bzip2 and LZMA without a limit. Called by :mod:`training.corpus.readers.archives.archive_reader`
and, for zip archives of records, by :mod:`training.corpus.readers.records.record_slices`.
"""

import bz2
import copy
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from training.corpus.readers.archives.member_paths import select_member
from training.corpus.readers.decompression import PIECE_BYTES, Decompressor, Inflater, Unpacked
from training.corpus.readers.reading_limits import BeyondLimitsError, ReadingBudget
from training.corpus.readers.source_file import TOO_LARGE, FileSelection, SourceFile
from training.foundation.foreign_text import path_text

MAX_DIRECTORY_BYTES = 32 << 20  # of the list of members, which is read into memory at once
_MAX_LZMA_DICTIONARY = 64 << 20
_LZMA_HEADER_BYTES = 9  # version, length of the properties, properties
_MIN_LZMA_DICTIONARY = 4096


def read_zip(
    file: IO[bytes], path: Path, budget: ReadingBudget, selection: FileSelection
) -> Iterator[SourceFile]:
    """Yields the selected members in the order of the archive's directory."""
    left = path.stat().st_size
    with zipfile.ZipFile(cast("IO[bytes]", _BoundedReads(file, path))) as archive:
        for info in archive.infolist():
            selected = None if info.is_dir() else select_member(info.filename, selection)
            budget.add_member(0 if selected is None else info.file_size)
            if selected is None:
                continue
            if isinstance(selected, SourceFile):
                yield selected
                continue
            name, max_bytes = selected
            if info.file_size > max_bytes:
                yield SourceFile(path=name, problem=TOO_LARGE)
                continue
            left -= info.compress_size
            if left < 0:
                raise BeyondLimitsError(
                    f"{path_text(path)} has members that overlap, as no source archive has;"
                    " remove it from the sources"
                )
            yield SourceFile(path=name, data=_read_member(archive, info))


def list_zip_members(file: IO[bytes], path: Path | str) -> list[tuple[str, int]]:
    """Returns the names of an archive's files, and what it holds of each in bytes.

    Raises:
        BeyondLimitsError: Its directory is implausibly large, or members overlap.
        zipfile.BadZipFile: It is damaged.
    """
    left = file.seek(0, 2)
    file.seek(0)
    with zipfile.ZipFile(cast("IO[bytes]", _BoundedReads(file, path))) as archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
    if sum(info.compress_size for info in members) > left:
        raise BeyondLimitsError(
            f"{path_text(path)} has members that overlap; remove it from the sources"
        )
    return [(info.filename, info.compress_size) for info in members]


@contextmanager
def open_zip_member(file: IO[bytes], path: Path | str, name: str) -> Iterator[IO[bytes]]:
    """Opens a file of an archive, unpacked in bounded pieces; it can seek to its beginning only.

    Raises:
        KeyError: There is no such member.
        zipfile.BadZipFile: The archive is damaged.
    """
    with zipfile.ZipFile(cast("IO[bytes]", _BoundedReads(file, path))) as archive:
        info = archive.getinfo(name)
        yield cast("IO[bytes]", _RestartableMember(lambda: _open_member(archive, info)))


class _RestartableMember:
    """The content of a member, which :meth:`seek` begins again."""

    closed = False  # which PyArrow asks for

    def __init__(self, open_member: Callable[[], IO[bytes]]) -> None:
        self._open = open_member
        self._content = open_member()

    def read(self, n_bytes: int = -1) -> bytes:
        return self._content.read(n_bytes)

    def seek(self, _offset: int) -> int:
        self._content = self._open()
        return 0

    def close(self) -> None:
        """Does nothing: the archive closes."""


class _BoundedReads:
    """A file that refuses to be read into memory in one piece."""

    def __init__(self, file: IO[bytes], path: Path | str) -> None:
        self._file = file
        self._path = path
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable

    def read(self, n_bytes: int = -1) -> bytes:
        data = self._file.read(MAX_DIRECTORY_BYTES + 1 if n_bytes < 0 else n_bytes)
        if max(n_bytes, len(data)) > MAX_DIRECTORY_BYTES:
            raise BeyondLimitsError(
                f"{path_text(self._path)} has a directory of {max(n_bytes, len(data))} bytes, as no"
                " source archive has; remove it from the sources"
            )
        return data


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Returns a member's content, at most the size that it declares.

    Raises:
        zipfile.BadZipFile: Size or checksum differ from what it declares.
    """
    data = _open_member(archive, info).read(info.file_size)
    if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
        raise zipfile.BadZipFile(f"{info.filename[:80]!r} is not what the directory says")
    return data


def _open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    packed = copy.copy(info)  # as if it were stored: what the archive holds of it
    packed.compress_type = zipfile.ZIP_STORED
    packed.file_size = packed.compress_size
    del packed.CRC
    file = archive.open(packed)
    if info.compress_type == zipfile.ZIP_STORED:
        return file
    streams = [_open_decompressor(info.compress_type, file)]
    create = lambda: streams.pop() if streams else None  # noqa: E731
    return io.BufferedReader(Unpacked(file, create, None), PIECE_BYTES)


def _open_decompressor(method: int, file: IO[bytes]) -> Decompressor:
    if method == zipfile.ZIP_DEFLATED:
        return Inflater(-15)
    if method == zipfile.ZIP_BZIP2:
        return bz2.BZ2Decompressor()
    if method == zipfile.ZIP_LZMA:
        return _open_lzma(file.read(_LZMA_HEADER_BYTES))
    raise NotImplementedError(f"compression method {method} is not supported")


def _open_lzma(header: bytes) -> Decompressor:
    """Opens an LZMA member by its header: the properties as the format defines them."""
    _, n_bytes, packed, dictionary = struct.unpack("<HHBI", header)
    if n_bytes != 5 or dictionary > _MAX_LZMA_DICTIONARY:  # noqa: PLR2004 - packed and dictionary
        raise NotImplementedError(f"an LZMA dictionary of {dictionary} bytes is not supported")
    chain = {
        "id": lzma.FILTER_LZMA1,
        "dict_size": max(dictionary, _MIN_LZMA_DICTIONARY),
        "lc": packed % 9,
        "lp": packed // 9 % 5,
        "pb": packed // 45,
    }
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[chain])
