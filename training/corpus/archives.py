"""Reads wheels and sdists member by member, trusting nothing they say.

Nothing is ever extracted to disk or executed. Links and special members are passed over, paths that
leave the archive are refused, and an archive that claims more than its limits is abandoned.
"""

import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from training.artifact.errors import CorpusError
from training.corpus.config import ArchiveLimits

_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,  # zipfile, for encrypted members
)
METADATA = re.compile(r"(?:^|/)(?:METADATA|PKG-INFO)$")
LICENCE_FILE = re.compile(r"(?:^|/)(?:LICEN[CS]E|COPYING)[^/]*$", re.IGNORECASE)


def read_members(
    path: Path, limits: ArchiveLimits, max_bytes: int
) -> Iterator[tuple[str, bytes | None]]:
    """Yields ``(path, data)`` of Python files, metadata and licence files.

    A member of more than ``max_bytes`` comes with None instead of its data.

    Raises:
        CorpusError: The archive is damaged, of an unknown kind, or beyond the limits.
    """
    try:
        if zipfile.is_zipfile(path):
            yield from _zip_members(path, limits, max_bytes)
        elif tarfile.is_tarfile(path):
            yield from _tar_members(path, limits, max_bytes)
        else:
            raise CorpusError(f"{path} is neither a wheel nor an sdist; remove it from the sources")
    except _DAMAGED as error:
        raise CorpusError(f"{path} is damaged ({error}); fetch it again") from error


def is_wanted(name: str) -> bool:
    """Says whether a member is of any use here."""
    return name.endswith(".py") or bool(METADATA.search(name) or LICENCE_FILE.search(name))


def safe_path(name: str) -> str | None:
    """Returns a member's normal path, or None if it leaves the archive."""
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
            raise CorpusError(
                f"{self._path} unpacks to more than a source archive would"
                f" ({self._members} members, {self._bytes} bytes); remove it from the sources"
            )


def _zip_members(
    path: Path, limits: ArchiveLimits, max_bytes: int
) -> Iterator[tuple[str, bytes | None]]:
    budget = _Budget(path, limits)
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = safe_path(info.filename)
            if info.is_dir() or name is None or not is_wanted(name):
                budget.claim(0)
                continue
            budget.claim(info.file_size)
            if info.file_size > max_bytes:
                yield name, None
                continue
            with archive.open(info) as member:  # the size in the directory may lie
                data = member.read(max_bytes + 1)
            yield name, data if len(data) <= max_bytes else None


def _tar_members(
    path: Path, limits: ArchiveLimits, max_bytes: int
) -> Iterator[tuple[str, bytes | None]]:
    budget = _Budget(path, limits)
    with tarfile.open(path, "r|*") as archive:
        for info in archive:
            budget.claim(info.size)  # a stream is unpacked as it is read over
            name = safe_path(info.name)
            if not info.isreg() or name is None or not is_wanted(name):
                continue
            if info.size > max_bytes:
                yield name, None
                continue
            member = archive.extractfile(info)
            assert member is not None, "a regular file has content"
            yield name, member.read()
