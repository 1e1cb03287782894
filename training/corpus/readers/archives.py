"""Reads wheels and sdists member by member, without trusting what they declare.

Nothing is extracted to disk or executed. Links and special members are skipped, paths that leave
the archive are refused, and an archive that exceeds its limits is abandoned. Called by
:mod:`training.corpus.readers.source_contents`.
"""

import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from training.corpus.config import ArchiveLimits
from training.corpus.readers.source_file import TOO_LARGE, SourceFile, is_relevant
from training.foundation.errors import CorpusError

_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,  # zipfile, for encrypted members
)
MAX_HEADER_BYTES = 1 << 20  # tarfile reads a long name or a pax header into memory at once
MAX_ALL_HEADERS_BYTES = 64 << 20  # and keeps the content of global headers
_HEADERS = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}


class BeyondLimitsError(CorpusError):
    """An archive that unpacks to more than a source archive plausibly would."""


def read_archive(path: Path, limits: ArchiveLimits, max_bytes: int) -> Iterator[SourceFile]:
    """Yields Python, metadata and licence files; those over ``max_bytes`` without their content.

    Raises:
        BeyondLimitsError: The archive is taken for a bomb.
        CorpusError: The archive is damaged or of an unknown kind.
    """
    try:
        if zipfile.is_zipfile(path):
            yield from _read_zip(path, limits, max_bytes)
        else:
            yield from _read_tar(path, limits, max_bytes)
    except _DAMAGED as error:
        raise CorpusError(
            f"{path} is damaged, or neither a wheel nor an sdist ({error});"
            " fetch it again or remove it from the sources"
        ) from error


def normalize_member_path(name: str) -> str | None:
    """Returns a member's normalized path, or None if it points outside the archive."""
    name = name.encode("utf-8", "replace").decode()  # a name may contain any bytes
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"^[A-Za-z]:", name):
        return None
    return str(path)


class _ArchiveBudget:
    """Counts the members and bytes that an archive has declared so far."""

    def __init__(self, path: Path, limits: ArchiveLimits) -> None:
        self._path = path
        self._limits = limits
        self._members = 0
        self._bytes = 0
        self._max_bytes = min(
            limits.max_total_bytes, int(path.stat().st_size * limits.max_ratio) + (1 << 20)
        )

    def add(self, n_bytes: int) -> None:
        self._members += 1
        self._bytes += n_bytes
        if self._members > self._limits.max_members or self._bytes > self._max_bytes:
            raise BeyondLimitsError(
                f"{self._path} unpacks to more than a source archive would"
                f" ({self._members} members, {self._bytes} bytes); remove it from the sources"
            )


def _read_zip(path: Path, limits: ArchiveLimits, max_bytes: int) -> Iterator[SourceFile]:
    budget = _ArchiveBudget(path, limits)
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = normalize_member_path(info.filename)
            if info.is_dir() or name is None or not is_relevant(name):
                budget.add(0)
                continue
            budget.add(info.file_size)
            if info.file_size > max_bytes:
                yield SourceFile(path=name, problem=TOO_LARGE)
                continue
            with archive.open(info) as member:  # yields at most the declared size
                yield SourceFile(path=name, data=member.read())


class _BoundedTarInfo(tarfile.TarInfo):
    """Refuses headers whose own content would fill the memory before any limit applies."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _HEADERS:
            total = getattr(archive, "all_headers_bytes", 0) + self.size
            archive.all_headers_bytes = total  # type: ignore[attr-defined]
            if self.size > MAX_HEADER_BYTES or total > MAX_ALL_HEADERS_BYTES:
                name = os.fsdecode(archive.name or b"an archive")
                raise BeyondLimitsError(
                    f"{name} has a header of {self.size} bytes, {total} in all, as no source"
                    " archive has; remove it from the sources"
                )
        processed: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return processed


def _read_tar(path: Path, limits: ArchiveLimits, max_bytes: int) -> Iterator[SourceFile]:
    budget = _ArchiveBudget(path, limits)
    with tarfile.open(path, "r|*", tarinfo=_BoundedTarInfo) as archive:
        for info in archive:
            budget.add(info.size)  # skipping a member still unpacks it
            name = normalize_member_path(info.name)
            if not info.isreg() or name is None or not is_relevant(name):
                continue
            if info.size > max_bytes:
                yield SourceFile(path=name, problem=TOO_LARGE)
                continue
            member = archive.extractfile(info)
            assert member is not None, "a regular file has content"
            yield SourceFile(path=name, data=member.read())
