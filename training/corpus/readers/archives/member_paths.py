"""Which members of an archive are read, by their paths.

Called by the readers of zip and tar archives.
"""

import re
from pathlib import PurePosixPath

from training.corpus.readers.names import MAX_PATH_CHARS, clean_name
from training.corpus.readers.source_file import PATH_TOO_LONG, FileSelection, SourceFile


def normalize_member_path(name: str) -> str | None:
    """Returns a member's normalized path, or None if it points outside the archive."""
    name = clean_name(name, MAX_PATH_CHARS)  # a name may contain any bytes
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"^[A-Za-z]:", name):
        return None
    return str(path)


def select_member(name: str, selection: FileSelection) -> tuple[str, int] | SourceFile | None:
    """Decides by its name what is done with a member.

    Returns:
        Its normalized path and the size up to which it is read; or a file without content for one
        that is dropped; or None for one that is not wanted.
    """
    if len(name) > MAX_PATH_CHARS:
        is_wanted = selection.max_bytes_of(name[-MAX_PATH_CHARS:])
        return (
            SourceFile(path=clean_name(f"{name[:40]}...{name[-40:]}"), problem=PATH_TOO_LONG)
            if is_wanted
            else None
        )
    path = normalize_member_path(name)
    max_bytes = 0 if path is None else selection.max_bytes_of(path)
    return (path, max_bytes) if path is not None and max_bytes else None
