"""Whether a repository holds a commit: a look into git's object store, without git.

An adapted model belongs to the repository that holds the commit it began with, wherever that
repository is. The history is not walked, and no object is unpacked.

Source: git's documentation of its pack index, version 2 (``gitformat-pack``).
"""

import re
import struct
from pathlib import Path
from typing import IO

from training.foundation.errors import ForeignDataError
from training.foundation.work_trees import find_common_folder, find_git_folder

_OBJECT_ID = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_INDEX_HEAD = b"\xfftOc\x00\x00\x00\x02"
_FANOUT_BYTES = 256 * 4
_MAX_PACKS = 1000


def holds_object(repository: Path, object_id: str) -> bool:
    """Returns whether the repository at the top of a work tree holds an object."""
    if _OBJECT_ID.fullmatch(object_id) is None:
        return False
    try:
        objects = find_common_folder(find_git_folder(repository)) / "objects"
        if (objects / object_id[:2] / object_id[2:]).is_file():
            return True
        indexes = sorted((objects / "pack").glob("*.idx"))[:_MAX_PACKS]
        return any(_lists_object(index, bytes.fromhex(object_id)) for index in indexes)
    except (OSError, ForeignDataError):
        return False


def _lists_object(index: Path, object_id: bytes) -> bool:
    """Returns whether a pack's index lists an object: a binary search in the file."""
    with index.open("rb") as file:
        if file.read(len(_INDEX_HEAD)) != _INDEX_HEAD:
            return False
        fanout = file.read(_FANOUT_BYTES)
        if len(fanout) < _FANOUT_BYTES:
            return False
        counts = struct.unpack(">256L", fanout)
        first = object_id[0]
        low, high = counts[first - 1] if first else 0, counts[first]
        while low < high:
            middle = (low + high) // 2
            found = _read_id(file, middle, len(object_id))
            if found == object_id:
                return True
            low, high = (middle + 1, high) if found < object_id else (low, middle)
    return False


def _read_id(file: IO[bytes], number: int, n_bytes: int) -> bytes:
    file.seek(len(_INDEX_HEAD) + _FANOUT_BYTES + number * n_bytes)
    return file.read(n_bytes)
