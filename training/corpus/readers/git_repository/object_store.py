"""Reads a repository's objects by their ids, loose or packed, and checks them against the ids.

Work is bounded by the size of the repository on disk, so that no bomb costs more than its size.
Called by :mod:`training.corpus.readers.git_repository.commit_reader`.
"""

import hashlib
import os
import struct
import zlib
from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import dataclass

from training.corpus.readers.git_repository.git_directory import (
    HEX_DIGITS,
    GitDirectory,
    RepositoryFaultError,
)
from training.corpus.readers.git_repository.pack_file import KINDS, MAX_OBJECT_BYTES, PackFile
from training.corpus.readers.reading_limits import BeyondLimitsError

MIN_PREFIX_DIGITS = 4
_MIN_WORK_BYTES = 256 << 20
_MAX_WORK_RATIO = 200  # of the repository's size on disk
_MAX_CACHE_BYTES = 64 << 20
_MAX_PACKS = 10_000
_MAX_LOOSE_HEADER_BYTES = 40


@dataclass(frozen=True, kw_only=True)
class GitObject:
    """An object; ``data`` is None if it is larger than was asked for."""

    kind: str
    data: bytes | None


class ObjectStore:
    """The objects of a repository; alternates are not read.

    Every method raises :class:`RepositoryFaultError` for damaged objects, and
    :class:`BeyondLimitsError` once the work exceeds what a repository of this size warrants.
    """

    def __init__(self, directory: GitDirectory) -> None:
        self._directory = directory
        self._cache: OrderedDict[tuple[int, int], tuple[str, bytes]] = OrderedDict()
        self._cached_bytes = 0
        self._loose: set[str] = set()  # those that were read
        self.disk_bytes = 0
        self._work_bytes = 0
        self._packs: list[PackFile] = []
        try:
            self._open_packs()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes the packs."""
        for pack in self._packs:
            pack.close()

    def charge(self, n_bytes: int) -> None:
        """Counts work."""
        self._work_bytes += n_bytes
        if self._work_bytes > _MIN_WORK_BYTES + _MAX_WORK_RATIO * self.disk_bytes:
            raise BeyondLimitsError(
                f"{self._directory.common} takes more work to read than a repository would"
                f" ({self._work_bytes} bytes); remove it from the sources"
            )

    def read(self, object_id: str, max_bytes: int = MAX_OBJECT_BYTES) -> GitObject:
        """Returns an object; its content only up to ``max_bytes``.

        Raises:
            KeyError: The repository lacks it.
        """
        try:
            found = self._read_loose(object_id, max_bytes) or self._read_packed(
                bytes.fromhex(object_id), max_bytes
            )
        except (zlib.error, struct.error, ValueError, OverflowError) as error:
            raise RepositoryFaultError(f"has a damaged object {object_id}") from error
        if found is None:
            raise KeyError(object_id)
        if found.data is not None and self._hash(found.kind, found.data) != object_id:
            raise RepositoryFaultError(f"has a damaged object {object_id}")
        return found

    def find_ids(self, prefix: str, most: int = 2) -> list[str]:
        """Returns the first few ids that begin with some hexadecimal digits."""
        if len(prefix) < MIN_PREFIX_DIGITS or not HEX_DIGITS.issuperset(prefix):
            return []
        found = {i.hex() for pack in self._packs for i in pack.find_prefix(prefix, most)}
        folder = self._directory.locate(f"objects/{prefix[:2]}")
        for file in folder.iterdir() if folder.is_dir() else ():
            loose = prefix[:2] + file.name
            if self._directory.is_object_id(loose) and loose.startswith(prefix):
                found.add(loose)
        return sorted(found)[:most]

    def _open_packs(self) -> None:
        """Opens every pack that has an index, and measures the repository."""
        folder = self._directory.locate("objects/pack")
        names = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
        n_bytes = self._directory.hash_bytes
        for name in [n for n in names if n.endswith(".idx")][:_MAX_PACKS]:
            pack_name = f"{name.removesuffix('.idx')}.pack"
            if pack_name in names:
                with ExitStack() as opened:
                    index, pack = (
                        opened.enter_context(self._directory.open(f"objects/pack/{file}"))
                        for file in (name, pack_name)
                    )
                    self.disk_bytes += os.fstat(index.fileno()).st_size
                    self.disk_bytes += os.fstat(pack.fileno()).st_size
                    self._packs.append(PackFile(index, pack, n_bytes, self.charge))
                    opened.pop_all()

    def _read_loose(self, object_id: str, max_bytes: int) -> GitObject | None:
        data = self._directory.read(
            f"objects/{object_id[:2]}/{object_id[2:]}", 2 * MAX_OBJECT_BYTES
        )
        if data is None:
            return None
        if object_id not in self._loose:
            self._loose.add(object_id)
            self.disk_bytes += len(data)
        self.charge(len(data))
        stream = zlib.decompressobj()
        start = stream.decompress(data, _MAX_LOOSE_HEADER_BYTES)
        header, mark, content = start.partition(b"\0")
        kind, _, digits = header.decode("ascii", "replace").partition(" ")
        if not mark or kind not in KINDS.values() or not digits.isdecimal():
            raise RepositoryFaultError(f"has a damaged object {object_id}")
        size = int(digits)
        if size > max_bytes:
            return GitObject(kind=kind, data=None)
        content += stream.decompress(stream.unconsumed_tail, max(1, size + 1 - len(content)))
        self.charge(size)
        if len(content) != size:
            raise RepositoryFaultError(f"has a damaged object {object_id}")
        return GitObject(kind=kind, data=content)

    def _read_packed(self, object_id: bytes, max_bytes: int) -> GitObject | None:
        for number, pack in enumerate(self._packs):
            offset = pack.find(object_id)
            if offset is not None:
                return self._read_entry(number, offset, max_bytes)
        return None

    def _read_entry(self, number: int, offset: int, max_bytes: int) -> GitObject:
        """Reads an entry of a pack: the base of its deltas first, then one delta after another."""
        pack = self._packs[number]
        chain = pack.read_chain(offset, lambda at: (number, at) in self._cache)
        self.charge(len(chain))
        if (number, offset) not in self._cache:
            first = chain[0][1]
            size = first.size if first.kind in KINDS else pack.peek_target_size(first)
            if size > max_bytes or any(e.size > MAX_OBJECT_BYTES for _, e in chain):
                return GitObject(kind=KINDS.get(chain[-1][1].kind, "blob"), data=None)
        kind, data = "", b""
        for at, entry in reversed(chain):
            cached = self._cache.get((number, at))
            if cached is not None:
                self._cache.move_to_end((number, at))
                kind, data = cached
                continue
            if entry.kind in KINDS:
                kind, data = KINDS[entry.kind], pack.inflate(entry)
            else:
                data = pack.apply(data, pack.inflate(entry))
            self._remember((number, at), kind, data)
        return GitObject(kind=kind, data=data if len(data) <= max_bytes else None)

    def _remember(self, key: tuple[int, int], kind: str, data: bytes) -> None:
        self._cache[key] = (kind, data)
        self._cached_bytes += len(data)
        while self._cached_bytes > _MAX_CACHE_BYTES and len(self._cache) > 1:
            _, (_, oldest) = self._cache.popitem(last=False)
            self._cached_bytes -= len(oldest)

    def _hash(self, kind: str, data: bytes) -> str:
        found = hashlib.new(self._directory.hash_name, usedforsecurity=False)
        found.update(f"{kind} {len(data)}\0".encode())
        found.update(data)
        return found.hexdigest()
