"""Where a git work tree keeps what it has: found by its files, without starting git.

Source: git's documentation of a repository's layout (``gitrepository-layout``).
"""

import os
from pathlib import Path

from training.foundation.errors import ForeignDataError
from training.foundation.foreign_text import read_bounded

_MAX_POINTER_BYTES = 4096


def find_work_tree(folder: Path) -> Path | None:
    """Returns the top of the work tree that a folder lies in; None if there is none."""
    for top in (folder, *folder.parents):
        if (top / ".git").exists():
            return top
    return None


def is_bare_repository(folder: Path) -> bool:
    """Returns whether a folder is a repository by itself, without a ``.git``."""
    return (folder / "objects").is_dir() and os.path.lexists(folder / "HEAD")  # a link, in old ones


def find_git_folder(work_tree: Path) -> Path:
    """Returns where a work tree has its own state; a linked one's ``.git`` is a file that says so.

    Raises:
        OSError: It cannot be read.
        ForeignDataError: That file is too large, or names no folder.
    """
    git = work_tree / ".git"
    if not git.is_file():
        return git
    return work_tree / read_pointer(git).removeprefix("gitdir:").strip()


def find_common_folder(git: Path) -> Path:
    """Returns the folder that all work trees of a repository share: of its objects and branches.

    Raises:
        OSError: It cannot be read.
        ForeignDataError: The file that names it is too large, or names no folder.
    """
    common = git / "commondir"
    return git / read_pointer(common) if common.is_file() else git


def read_pointer(file: Path) -> str:
    """Returns the one line of a file such as ``HEAD``.

    Raises:
        OSError: It cannot be read.
        ForeignDataError: It is too large, or no name.
    """
    line = os.fsdecode(read_bounded(file, _MAX_POINTER_BYTES)).strip()
    if "\0" in line:
        raise ForeignDataError("it has a null byte")
    return line
