"""Reads wheels and sdists member by member, trusting nothing they say.

Nothing is ever extracted to disk or executed. Links and special members are passed over, paths that
leave the archive are refused, and an archive that claims more than its limits is abandoned. What is
worth keeping is not decided here. Called by :mod:`training.corpus.extraction.source_reader`.
"""

import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from training.corpus.config import ArchiveLimits
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
METADATA = re.compile(r"(?:^|/)(?:METADATA|PKG-INFO)$")
LICENCE_FILE = re.compile(r"(?:^|/)(?:LICEN[CS]E|COPYING)[^/]*$", re.IGNORECASE)
TOO_LARGE = "too large"
MAX_HEADER_BYTES = 1 << 20  # tarfile reads a long name or a pax header into memory at once
MAX_ALL_HEADERS_BYTES = 64 << 20  # and keeps what the global ones say
_HEADERS = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file of a source; ``problem`` says why it has no data, None if it has."""

    path: str
    data: bytes = b""
    problem: str | None = None


class BeyondLimitsError(CorpusError):
    """An archive that unpacks to more than any source archive would."""


def read_members(path: Path, limits: ArchiveLimits, max_bytes: int) -> Iterator[Member]:
    """Yields Python files, metadata and licence files, those over ``max_bytes`` without data.

    Raises:
        BeyondLimitsError: The archive is taken for a bomb.
        CorpusError: The archive is damaged or of an unknown kind.
    """
    try:
        if zipfile.is_zipfile(path):
            yield from _zip_members(path, limits, max_bytes)
        else:
            yield from _tar_members(path, limits, max_bytes)
    except _DAMAGED as error:
        raise CorpusError(
            f"{path} is damaged, or neither a wheel nor an sdist ({error});"
            " fetch it again or remove it from the sources"
        ) from error


def is_wanted(name: str) -> bool:
    """Says whether a member is of any use here."""
    return name.endswith(".py") or bool(METADATA.search(name) or LICENCE_FILE.search(name))


def safe_path(name: str) -> str | None:
    """Returns a member's normal path, or None if it leaves the archive."""
    name = name.encode("utf-8", "replace").decode()  # a name may hold any bytes
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"^[A-Za-z]:", name):
        return None
    return str(path)


class _Budget:
    """Counts what an archive has claimed so far."""

    def __init__(self, path: Path, limits: ArchiveLimits) -> None:
        self._path = path
        self._limits = limits
        self._members = 0
        self._bytes = 0
        self._max_bytes = min(
            limits.max_total_bytes, int(path.stat().st_size * limits.max_ratio) + (1 << 20)
        )

    def claim(self, n_bytes: int) -> None:
        self._members += 1
        self._bytes += n_bytes
        if self._members > self._limits.max_members or self._bytes > self._max_bytes:
            raise BeyondLimitsError(
                f"{self._path} unpacks to more than a source archive would"
                f" ({self._members} members, {self._bytes} bytes); remove it from the sources"
            )


def _zip_members(path: Path, limits: ArchiveLimits, max_bytes: int) -> Iterator[Member]:
    budget = _Budget(path, limits)
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = safe_path(info.filename)
            if info.is_dir() or name is None or not is_wanted(name):
                budget.claim(0)
                continue
            budget.claim(info.file_size)
            if info.file_size > max_bytes:
                yield Member(path=name, problem=TOO_LARGE)
                continue
            with archive.open(info) as member:  # gives no more than the size just claimed
                yield Member(path=name, data=member.read())


class _BoundedTarInfo(tarfile.TarInfo):
    """Refuses headers whose own content would fill the memory before any limit is asked."""

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


def _tar_members(path: Path, limits: ArchiveLimits, max_bytes: int) -> Iterator[Member]:
    budget = _Budget(path, limits)
    with tarfile.open(path, "r|*", tarinfo=_BoundedTarInfo) as archive:
        for info in archive:
            budget.claim(info.size)  # a stream is unpacked as it is read over
            name = safe_path(info.name)
            if not info.isreg() or name is None or not is_wanted(name):
                continue
            if info.size > max_bytes:
                yield Member(path=name, problem=TOO_LARGE)
                continue
            member = archive.extractfile(info)
            assert member is not None, "a regular file has content"
            yield Member(path=name, data=member.read())
