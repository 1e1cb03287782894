"""Reads a module of the workspace as text, or not at all.

Only regular files that lie in one of the workspace's folders, also after links are followed, and no
more of them than a limit: a link may lead to a device that never ends, a pipe that never answers,
or a file that its owner did not mean to share.
"""

import io
import os
import stat
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from server.workspace.private_files import is_private

MAX_FILE_BYTES = 256 << 10


@dataclass(frozen=True, kw_only=True)
class ModuleFile:
    """A file that may be read.

    Attributes:
        path: Its own path, with all links followed.
        version: Changes whenever the file does.
    """

    path: Path
    version: tuple[int, int, int]


def find_module_file(
    path: Path, roots: Sequence[Path], private_globs: Sequence[str]
) -> ModuleFile | None:
    """Returns the file that a path leads to; None if it is not there or must not be read.

    Args:
        path: The path that a module's name stands for.
        roots: The workspace's folders, with all links followed.
        private_globs: The user's private files.
    """
    try:
        target = path.resolve(strict=True)
        status = target.stat()
    except (OSError, ValueError, RuntimeError):  # ValueError: not a name; RuntimeError: a link loop
        return None
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
        return None
    if not any(target.is_relative_to(root) for root in roots):
        return None
    if any(is_private(one.absolute().as_uri(), private_globs) for one in (path, target)):
        return None
    return ModuleFile(path=target, version=(status.st_mtime_ns, status.st_size, status.st_ino))


def read_module_file(file: ModuleFile) -> str | None:
    """Returns a file's text in the encoding that it declares; None if it cannot be read.

    The file may have been replaced since it was found, so its kind and size are checked again.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        with open(file.path, "rb", opener=lambda path, _: os.open(path, flags)) as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                return None
            data = opened.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            return None
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    except (OSError, ValueError, SyntaxError, LookupError):
        return None
