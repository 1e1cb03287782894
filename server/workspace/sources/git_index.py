"""Reads git's index: which files a work tree tracks. Git is not run.

Source: git's documentation of the index format, versions 2 to 4 (``gitformat-index``).
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from training.foundation.foreign_text import read_bounded

_MAX_BYTES = 64 << 20
_MAX_NAME_BYTES = 4096  # compressed names could be longer than the index
_MAX_NAMES_BYTES = 128 << 20
_HEADER = struct.Struct(">4sLL")
_EXTENSION = struct.Struct(">4sL")
_OBJECT_BYTES = (20, 32)  # of SHA-1 and SHA-256
_STAT_BYTES = 40  # of an entry, before its object
_MODE_OFFSET = 24
_IS_EXTENDED = 0x4000  # two more bytes of flags follow
_IS_REGULAR, _KIND_MASK = 0o100000, 0o170000
_PREFIX_COMPRESSED_VERSION = 4
_SPLIT = b"link"  # most entries are in another file


def read_index(path: Path) -> list[str]:
    """Returns the names of the regular files that an index lists, relative to the work tree's top.

    A name is what somebody wrote there; it may lead anywhere.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no regular file, too large, or not an index that can be read.
    """
    data = read_bounded(path, _MAX_BYTES)
    for object_bytes in _OBJECT_BYTES:
        try:
            return _Index(data, object_bytes).read()
        except (ValueError, IndexError, struct.error):
            continue
    raise ValueError(f"{path} is no index of git that can be read")


@dataclass(frozen=True)
class _Index:
    """An index of a repository whose objects have names of ``object_bytes``.

    The index does not say how long they are; with the wrong length it does not end where it should.
    """

    data: bytes
    object_bytes: int

    def read(self) -> list[str]:
        signature, version, n_entries = _HEADER.unpack_from(self.data)
        if signature != b"DIRC" or version not in {2, 3, 4}:
            raise ValueError("no index")
        is_compressed = version == _PREFIX_COMPRESSED_VERSION
        names: list[str] = []
        at, name, n_bytes = _HEADER.size, b"", 0
        for _ in range(n_entries):
            (mode,) = struct.unpack_from(">L", self.data, at + _MODE_OFFSET)
            name, at = self._read_name(at, name if is_compressed else None)
            n_bytes += len(name)
            if len(name) > _MAX_NAME_BYTES or n_bytes > _MAX_NAMES_BYTES:
                raise ValueError("implausible names")
            if mode & _KIND_MASK == _IS_REGULAR:
                names.append(os.fsdecode(name))
        self._check_end(at)
        return names

    def _read_name(self, at: int, previous: bytes | None) -> tuple[bytes, int]:
        """Returns an entry's name, and where the next entry is.

        Args:
            at: Where the entry is.
            previous: The name of which this one repeats the beginning; None if it does not.
        """
        flags_at = at + _STAT_BYTES + self.object_bytes
        (flags,) = struct.unpack_from(">H", self.data, flags_at)
        start = flags_at + (4 if flags & _IS_EXTENDED else 2)
        head = b""
        if previous is not None:
            n_removed, start = _read_offset(self.data, start)
            head = previous[: len(previous) - n_removed]
        end = self.data.index(b"\0", start)
        following = end + 1 if previous is not None else at + (end - at + 8) // 8 * 8
        return head + self.data[start:end], following

    def _check_end(self, at: int) -> None:
        """Refuses an index that does not end with its checksum, or that continues elsewhere."""
        end = len(self.data) - self.object_bytes
        while at < end:
            name, n_bytes = _EXTENSION.unpack_from(self.data, at)
            if name == _SPLIT:
                raise ValueError("a split index")
            at += _EXTENSION.size + n_bytes
        if at != end:
            raise ValueError("no end")


def _read_offset(data: bytes, at: int) -> tuple[int, int]:
    """Returns a number of git's variable length, and where it ends."""
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        value = ((value + 1) << 7) | (data[at] & 0x7F)
    return value, at + 1
