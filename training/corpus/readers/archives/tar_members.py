"""Reads the members of a tar archive, such as an sdist, as a stream.

:mod:`tarfile` parses each header; the sequence of headers is followed here, because it reads sparse
maps and long headers without a limit and in quadratic time. GNU and PAX names are understood;
links, devices and sparse files are not read. Called by
:mod:`training.corpus.readers.archives.archive_reader`.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from training.corpus.readers.archives.member_paths import select_member
from training.corpus.readers.decompression import skip
from training.corpus.readers.reading_limits import BeyondLimitsError, ReadingBudget
from training.corpus.readers.source_file import SPARSE, TOO_LARGE, FileSelection, SourceFile
from training.foundation.foreign_text import path_text

MAX_HEADER_BYTES = 1 << 20  # of a long name or a pax header, which is read into memory at once
MAX_ALL_HEADERS_BYTES = 64 << 20
_PAX_HEADERS = {tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE}
_HEADERS = {*_PAX_HEADERS, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
_SPARSE_PREFIX = "GNU.sparse."
_IS_EXTENDED, _EXTENDS = 482, 504  # offsets of the flags that a sparse map goes on
_MAX_DIGITS = 20


def read_tar(
    stream: IO[bytes], path: Path, budget: ReadingBudget, selection: FileSelection
) -> Iterator[SourceFile]:
    """Yields the selected members in the order of the archive."""
    for member in _TarStream(stream, path, budget).iterate():
        selected = select_member(member.name, selection) if member.is_file else None
        if isinstance(selected, SourceFile):
            yield selected
        elif selected is not None:
            name, max_bytes = selected
            if member.is_sparse:
                yield SourceFile(path=name, problem=SPARSE)
            elif member.n_bytes > max_bytes:
                yield SourceFile(path=name, problem=TOO_LARGE)
            else:
                yield SourceFile(path=name, data=member.read())


@dataclass(kw_only=True)
class _Member:
    """A member whose content comes next in the stream."""

    stream: IO[bytes]
    name: str
    n_bytes: int
    is_file: bool
    is_sparse: bool
    n_read: int = 0

    def read(self) -> bytes:
        """Returns the whole content."""
        data = _read_exactly(self.stream, self.n_bytes)
        self.n_read = len(data)
        return data


class _TarStream:
    """Follows the headers of a tar archive."""

    def __init__(self, stream: IO[bytes], path: Path, budget: ReadingBudget) -> None:
        self._stream = stream
        self._path = path
        self._budget = budget
        self._headers_bytes = 0

    def iterate(self) -> Iterator[_Member]:
        """Yields the members; the content of one that is not read is skipped.

        Raises:
            tarfile.TarError: A header is damaged.
            EOFError: The archive ends within a member.
        """
        extended: dict[str, str] = {}
        is_empty = True
        while block := self._stream.read(tarfile.BLOCKSIZE):
            if len(block) == tarfile.BLOCKSIZE and not any(block):
                return
            is_empty = False
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            self._budget.add_member()
            if info.type in _HEADERS:
                extended.update(self._read_header(info))
                continue
            member = self._open_member(info, block, extended)
            yield member
            skip(self._stream, _round_up(member.n_bytes) - member.n_read)
            extended = {}
        if is_empty:
            raise EOFError("it is empty")

    def _open_member(self, info: tarfile.TarInfo, block: bytes, pax: dict[str, str]) -> _Member:
        is_sparse = info.type == tarfile.GNUTYPE_SPARSE
        if is_sparse and block[_IS_EXTENDED]:
            while self._read_block()[_EXTENDS]:
                self._budget.add_member()
        has_content = info.isreg() or info.type not in tarfile.SUPPORTED_TYPES
        n_bytes = _parse_size(pax["size"]) if "size" in pax else info.size
        if n_bytes < 0:
            raise tarfile.HeaderError("a member has a negative size")
        return _Member(
            stream=self._stream,
            name=pax.get(_SPARSE_PREFIX + "name") or pax.get("path") or info.name,
            n_bytes=n_bytes if has_content else 0,
            is_file=info.isreg(),
            is_sparse=is_sparse or any(key.startswith(_SPARSE_PREFIX) for key in pax),
        )

    def _read_header(self, info: tarfile.TarInfo) -> dict[str, str]:
        """Returns what a header says of the next member; global ones say nothing we need."""
        self._headers_bytes += max(info.size, 0)
        if not 0 <= info.size <= MAX_HEADER_BYTES or self._headers_bytes > MAX_ALL_HEADERS_BYTES:
            raise BeyondLimitsError(
                f"{path_text(self._path)} has a header of {info.size} bytes, {self._headers_bytes}"
                " in all, as no source archive has; remove it from the sources"
            )
        content = _read_exactly(self._stream, _round_up(info.size))[: info.size]
        if info.type == tarfile.GNUTYPE_LONGNAME:
            return {"path": content.partition(b"\0")[0].decode("utf-8", "surrogateescape")}
        return _parse_pax(content) if info.type in _PAX_HEADERS else {}

    def _read_block(self) -> bytes:
        return _read_exactly(self._stream, tarfile.BLOCKSIZE)


def _parse_pax(content: bytes) -> dict[str, str]:
    """Returns the records of a pax header, in linear time.

    Each is its length, a space, KEYWORD=VALUE and a line feed.
    """
    records, position = {}, 0
    while position < len(content) and content[position]:
        digits, space, _ = content[position : position + _MAX_DIGITS].partition(b" ")
        length = int(digits) if space and digits.isdigit() else 0
        record = content[position + len(digits) + 1 : position + length]
        keyword, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise tarfile.HeaderError("a pax header is damaged")
        records[keyword.decode("utf-8", "replace")] = value[:-1].decode("utf-8", "surrogateescape")
        position += length
    return records


def _parse_size(digits: str) -> int:
    if not digits.isdecimal() or len(digits) > _MAX_DIGITS:
        raise tarfile.HeaderError("a member has no size")
    return int(digits)


def _round_up(n_bytes: int) -> int:
    return -(-n_bytes // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _read_exactly(stream: IO[bytes], n_bytes: int) -> bytes:
    data = stream.read(n_bytes)
    if len(data) < n_bytes:
        raise EOFError("it ends within a member")
    return data
