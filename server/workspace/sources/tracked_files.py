"""Which Python files make up a workspace: those that git tracks, or those that people would write.

Git's index is read, git is not run: it may be missing, and a repository's configuration could have
it run programs. Without an index the folders are walked, leaving out hidden folders, environments,
builds and vendored packages. Only names are found here; whether a file may be read is for
:mod:`server.workspace.module_file` to say.
"""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from server.workspace.sources.git_index import read_index
from training.foundation.work_trees import find_git_folder, find_work_tree

MAX_FILES = 20_000
_MAX_VISITED = 200_000  # entries of folders that are walked
_MAX_DEPTH = 32
_SUFFIXES = (".py", ".pyi")
_SKIPPED = {
    *("__pycache__", "node_modules", "site-packages", "dist-packages", "build", "dist"),
    *("venv", "env", "vendor", "vendored", "_vendor", "third_party"),
}


def list_python_files(root: Path) -> list[Path]:
    """Returns the Python files of a folder, sorted, at most ``MAX_FILES``."""
    names = _list_tracked(root)
    if names is None:
        return sorted(islice(_walk(root), MAX_FILES))
    return sorted(root / name for name in names if _is_wanted(name))[:MAX_FILES]


def _list_tracked(root: Path) -> list[str] | None:
    """Returns what git tracks in a folder, by names within it; None if that is not known.

    The folder may lie anywhere in a work tree. If nothing in it is tracked, it is taken for a
    project of its own: people keep their home folder in git too.
    """
    try:
        folder = root.resolve()
        top = find_work_tree(folder)
        if top is None:
            return None
        names = read_index(find_git_folder(top) / "index")
    except (OSError, ValueError, RuntimeError):  # a RuntimeError is a loop of links
        return None
    if folder == top:
        return names
    start = folder.relative_to(top).as_posix() + "/"
    return [name.removeprefix(start) for name in names if name.startswith(start)] or None


def _is_wanted(name: str) -> bool:
    *folders, file = name.split("/")
    return file.endswith(_SUFFIXES) and not _SKIPPED.intersection(folders)


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
