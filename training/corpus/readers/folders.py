"""Reads the Python files of a folder tree; links and what git ignores are left out.

Called by :mod:`training.corpus.readers.source_contents`; :mod:`training.corpus.input_hash` walks
the same tree.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from training.corpus.readers.git_repository.ignore_rules import IgnoreRules
from training.corpus.readers.source_file import TOO_LARGE, UNREADABLE, SourceFile
from training.foundation.errors import CorpusError

SKIPPED_FOLDERS = {"site-packages", "dist-packages", "__pycache__", "node_modules", ".git", ".venv"}


def read_folder(
    folder: Path, *, part: str, files: tuple[str, ...], max_bytes: int
) -> Iterator[SourceFile]:
    """Yields a folder's Python files.

    Args:
        folder: The folder, to which paths are relative.
        part: The subfolder or file to read, empty for all.
        files: The only files to read, empty for all.
        max_bytes: Larger files come without their content.

    Raises:
        CorpusError: The folder does not exist.
    """
    root = folder / part
    if not root.exists():
        raise CorpusError(f"{root} does not exist; correct the sources in the config")
    paths: Iterable[Path]
    if files:
        paths = [folder / file for file in files]
    else:
        paths = [root] if root.is_file() else walk_python_files(root)
    for path in paths:
        name = path.relative_to(folder).as_posix().encode("utf-8", "replace").decode()
        yield _read_file(path, name, max_bytes)


def _read_file(path: Path, name: str, max_bytes: int) -> SourceFile:
    try:
        if path.stat().st_size > max_bytes:  # checked before the file is read into memory
            return SourceFile(path=name, problem=TOO_LARGE)
        return SourceFile(path=name, data=path.read_bytes())
    except OSError:
        return SourceFile(path=name, problem=UNREADABLE)


def walk_python_files(root: Path) -> Iterator[Path]:
    """Yields a tree's Python files in a fixed order."""
    rules = IgnoreRules(root)
    for folder, subfolders, names in os.walk(root, followlinks=False):
        here = Path(folder)
        subfolders[:] = sorted(
            name
            for name in subfolders
            if name not in SKIPPED_FOLDERS and not rules.ignores(here / name, is_folder=True)
        )
        for name in sorted(names):
            file = here / name
            is_plain = name.endswith(".py") and file.is_file() and not file.is_symlink()
            if is_plain and not rules.ignores(file, is_folder=False):
                yield file
