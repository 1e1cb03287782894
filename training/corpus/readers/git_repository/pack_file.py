"""Reads objects of one pack: a file of compressed objects and deltas, with an index of their ids.

Every size is bounded before anything is unpacked, and every step counts against the repository's
budget. Called by :mod:`training.corpus.readers.git_repository.object_store`.

Source: git's own documentation, gitformat-pack.
"""

import struct
import zlib
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from training.corpus.readers.git_repository.git_directory import RepositoryFaultError
from training.corpus.readers.git_repository.pack_delta import apply_delta, parse_delta_sizes

KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
MAX_OBJECT_BYTES = 64 << 20  # of an object, or of one that a delta applies to
_OFFSET_DELTA, _ID_DELTA = 6, 7
_MAX_CHAIN = 4096  # deltas on one another; git writes at most 4095
_INDEX_MAGIC = b"\xfftOc\x00\x00\x00\x02"
_FANOUT_BYTES = 1024
_CHUNK_BYTES = 1 << 14
_MAX_ENTRY_HEADER_BYTES = 64
_MAX_SIZES_BYTES = 20  # of the two sizes at the start of a delta
_DELTA_COST = 8  # a byte of a delta takes that many times as long as one that is copied


@dataclass(frozen=True, kw_only=True)
class PackEntry:
    """An entry of a pack: a kind and a size, of the object or of the delta to another entry."""

    kind: int
    size: int
    data_offset: int
    base_offset: int = 0


class PackFile:
    """One pack.

    Args:
        index: Its index, open.
        pack: The pack, open.
        hash_bytes: The length of an object id.
        charge: Counts work; raises when there was too much.
    """

    def __init__(
        self, index: BinaryIO, pack: BinaryIO, hash_bytes: int, charge: Callable[[int], None]
    ) -> None:
        self._index, self._pack = index, pack
        self._hash_bytes = hash_bytes
        self._charge = charge
        self._index_bytes, self._pack_bytes = index.seek(0, 2), pack.seek(0, 2)
        is_current = self._read(index, 0, len(_INDEX_MAGIC)) == _INDEX_MAGIC
        self._names_at = (len(_INDEX_MAGIC) if is_current else 0) + _FANOUT_BYTES
        fanout = self._read_exactly(index, self._names_at - _FANOUT_BYTES, _FANOUT_BYTES)
        self._fanout = struct.unpack(">256I", fanout)
        self._is_current = is_current
        self._stride = hash_bytes if is_current else hash_bytes + 4
        n_objects = self._fanout[-1]
        needed = n_objects * (hash_bytes + (8 if is_current else 4))
        if list(self._fanout) != sorted(self._fanout) or needed > self._index_bytes:
            raise RepositoryFaultError("has a damaged pack index")

    def close(self) -> None:
        """Closes both files."""
        self._index.close()
        self._pack.close()

    def find(self, object_id: bytes) -> int | None:
        """Returns an object's offset, or None if the pack lacks it."""
        first, last = self._find_bucket(object_id[0])
        number = first + bisect_left(range(first, last), object_id, key=self._read_id)
        if number < last and self._read_id(number) == object_id:
            return self._read_offset(number)
        return None

    def find_prefix(self, prefix: str, most: int) -> list[bytes]:
        """Returns the ids that begin with hexadecimal digits, the first few of them."""
        first, last = self._find_bucket(int(prefix[:2], 16))
        start = bisect_left(range(first, last), prefix, key=lambda n: self._read_id(n).hex())
        ids = [self._read_id(n) for n in range(first + start, min(last, first + start + most))]
        return [found for found in ids if found.hex().startswith(prefix)]

    def read_entry(self, offset: int) -> PackEntry:
        """Reads the header of an entry."""
        header = self._read(self._pack, offset, _MAX_ENTRY_HEADER_BYTES)
        try:
            byte, at = header[0], 1
            kind, size, shift = byte >> 4 & 7, byte & 15, 4
            while byte & 0x80:
                byte = header[at]
                size |= (byte & 0x7F) << shift
                at, shift = at + 1, shift + 7
            base = None
            if kind == _OFFSET_DELTA:
                distance, at = _parse_distance(header, at)
                base = offset - distance
            elif kind == _ID_DELTA:
                base = self.find(header[at : at + self._hash_bytes].ljust(self._hash_bytes, b"\0"))
                at += self._hash_bytes
            elif kind not in KINDS:
                raise RepositoryFaultError("has a damaged pack")
        except IndexError as error:
            raise RepositoryFaultError("has a damaged pack") from error
        if kind not in KINDS and (base is None or not 0 < base < self._pack_bytes):
            raise RepositoryFaultError("has a damaged pack: a delta to nothing")
        return PackEntry(kind=kind, size=size, data_offset=offset + at, base_offset=base or 0)

    def read_chain(
        self, offset: int, is_cached: Callable[[int], bool]
    ) -> list[tuple[int, PackEntry]]:
        """Returns an entry and those that its deltas apply to, up to one that is cached."""
        chain = []
        while True:
            entry = self.read_entry(offset)
            chain.append((offset, entry))
            if entry.kind in KINDS or is_cached(offset):
                return chain
            if len(chain) > _MAX_CHAIN:
                raise RepositoryFaultError("has a damaged pack: deltas without an end")
            offset = entry.base_offset

    def inflate(self, entry: PackEntry) -> bytes:
        """Returns the data of an entry of at most :data:`MAX_OBJECT_BYTES`."""
        stream = zlib.decompressobj()
        data, offset = bytearray(), entry.data_offset
        while not stream.eof:
            chunk = self._read(self._pack, offset, _CHUNK_BYTES)
            if not chunk:
                raise RepositoryFaultError("has a damaged pack: it is cut off")
            offset += len(chunk)
            data += stream.decompress(stream.unconsumed_tail + chunk, entry.size + 1 - len(data))
            self._charge(len(chunk))
            if len(data) > entry.size:
                break
        if len(data) != entry.size:
            raise RepositoryFaultError("has a damaged pack: a wrong size")
        self._charge(len(data))
        return bytes(data)

    def peek_target_size(self, entry: PackEntry) -> int:
        """Returns the size of the object that a delta makes."""
        chunk = self._read(self._pack, entry.data_offset, _CHUNK_BYTES)
        start = zlib.decompressobj().decompress(chunk, _MAX_SIZES_BYTES)
        return parse_delta_sizes(start)[1]

    def apply(self, base: bytes, delta: bytes) -> bytes:
        """Returns the object that a delta makes of another."""
        _, size, _ = parse_delta_sizes(delta)
        if size > MAX_OBJECT_BYTES:
            raise RepositoryFaultError("has a damaged pack: a delta to something large")
        self._charge(_DELTA_COST * len(delta) + size)
        return apply_delta(base, delta)

    def _find_bucket(self, first_byte: int) -> tuple[int, int]:
        return (self._fanout[first_byte - 1] if first_byte else 0), self._fanout[first_byte]

    def _read_id(self, number: int) -> bytes:
        at = self._names_at + number * self._stride + (0 if self._is_current else 4)
        return self._read_exactly(self._index, at, self._hash_bytes)

    def _read_offset(self, number: int) -> int:
        if not self._is_current:
            at = self._names_at + number * self._stride
            return int(struct.unpack(">I", self._read_exactly(self._index, at, 4))[0])
        n_objects = self._fanout[-1]
        offsets_at = self._names_at + n_objects * (self._hash_bytes + 4)
        packed = self._read_exactly(self._index, offsets_at + 4 * number, 4)
        offset = int(struct.unpack(">I", packed)[0])
        if offset & 0x80000000:
            large_at = offsets_at + 4 * n_objects + 8 * (offset & 0x7FFFFFFF)
            offset = int(struct.unpack(">Q", self._read_exactly(self._index, large_at, 8))[0])
        if offset >= self._pack_bytes:
            raise RepositoryFaultError("has a damaged pack index")
        return offset

    def _read_exactly(self, file: BinaryIO, offset: int, n_bytes: int) -> bytes:
        data = self._read(file, offset, n_bytes)
        if len(data) != n_bytes:
            raise RepositoryFaultError("has a damaged pack index: it is cut off")
        return data

    def _read(self, file: BinaryIO, offset: int, n_bytes: int) -> bytes:
        file.seek(offset)
        return file.read(n_bytes)


def _parse_distance(header: bytes, at: int) -> tuple[int, int]:
    """Returns how far back the base of a delta is, and where its data begin."""
    byte = header[at]
    distance, at = byte & 0x7F, at + 1
    while byte & 0x80:
        byte = header[at]
        distance = (distance + 1 << 7) | byte & 0x7F
        at += 1
    return distance, at
