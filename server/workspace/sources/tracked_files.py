"""Which Python files make up a workspace: those that git tracks, or those that people would write.

Git's index is read, git is not run: it may be missing, and a repository's configuration could have
it run programs. Without an index the folders are walked, leaving out hidden folders, environments,
builds and vendored packages. Only names are found here; whether a file may be read is for
:mod:`server.workspace.module_file` to say.

Source: git's documentation of the index format, versions 2 to 4 (``gitformat-index``).
"""

import os
import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

MAX_FILES = 20_000
_MAX_INDEX_BYTES = 64 << 20
_MAX_VISITED = 200_000  # entries of folders that are walked
_MAX_DEPTH = 32
_SUFFIXES = (".py", ".pyi")
_SKIPPED = {
    *("__pycache__", "node_modules", "site-packages", "dist-packages", "build", "dist"),
    *("venv", "env", "vendor", "vendored", "_vendor", "third_party"),
}
_HEADER = struct.Struct(">4sLL")
_ENTRY_BYTES = 62  # before the name: times, sizes, object, flags
_MODE_OFFSET, _FLAGS_OFFSET = 24, 60
_IS_EXTENDED = 0x4000  # two more bytes of flags follow
_IS_REGULAR, _KIND_MASK = 0o100000, 0o170000
_PREFIX_COMPRESSED_VERSION = 4


def list_python_files(root: Path) -> list[Path]:
    """Returns the Python files of a folder, sorted, at most ``MAX_FILES``."""
    try:
        names = _read_git_index(root / ".git" / "index")
    except (OSError, ValueError, IndexError, struct.error):
        found = sorted(islice(_walk(root), MAX_FILES))
    else:
        found = sorted(root / name for name in names if _is_wanted(name))[:MAX_FILES]
    return found


def _is_wanted(name: str) -> bool:
    *folders, file = name.split("/")
    return file.endswith(_SUFFIXES) and not _SKIPPED.intersection(folders)


def _read_git_index(path: Path) -> list[str]:
    """Returns the names of the regular files that an index lists.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not an index, or too large.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        data = file.read(_MAX_INDEX_BYTES + 1)
    signature, version, n_entries = _HEADER.unpack_from(data)
    if signature != b"DIRC" or version not in {2, 3, 4} or len(data) > _MAX_INDEX_BYTES:
        raise ValueError(f"{path} is no index of git that can be read")
    is_compressed = version == _PREFIX_COMPRESSED_VERSION
    names: list[str] = []
    at, name = _HEADER.size, b""
    for _ in range(n_entries):
        (mode,) = struct.unpack_from(">L", data, at + _MODE_OFFSET)
        (flags,) = struct.unpack_from(">H", data, at + _FLAGS_OFFSET)
        start = at + _ENTRY_BYTES + (2 if flags & _IS_EXTENDED else 0)
        n_removed, name_start = _read_offset(data, start) if is_compressed else (0, start)
        end = data.index(b"\0", name_start)
        head = name[: len(name) - n_removed] if is_compressed else b""
        name = head + data[name_start:end]
        if mode & _KIND_MASK == _IS_REGULAR:
            names.append(os.fsdecode(name))
        at = end + 1 if is_compressed else at + (end - at + 8) // 8 * 8
    return names


def _read_offset(data: bytes, at: int) -> tuple[int, int]:
    """Returns a number of git's variable length, and where it ends."""
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        value = ((value + 1) << 7) | (data[at] & 0x7F)
    return value, at + 1


def _walk(root: Path) -> Iterator[Path]:
    """Yields Python files below a folder; links are not followed."""
    n_visited = 0
    waiting = [(str(root), 0)]
    while waiting:
        folder, depth = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        if any(entry.name == "pyvenv.cfg" for entry in entries):
            continue
        for entry in entries:
            n_visited += 1
            if n_visited > _MAX_VISITED:
                return
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if depth < _MAX_DEPTH and entry.name not in _SKIPPED:
                    waiting.append((entry.path, depth + 1))
            elif entry.is_file(follow_symlinks=False) and entry.name.endswith(_SUFFIXES):
                yield Path(entry.path)
