"""Reads the Python files of a folder tree; links and what git ignores are left out.

So are repositories below the folder, such as submodules, whose licence and name are others. What is
not read is said. Called by :mod:`training.corpus.readers.source_contents`;
:mod:`training.corpus.input_hash` walks the same tree.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from training.corpus.readers.git_repository.ignore_rules import IgnoreRules
from training.corpus.readers.names import MAX_PATH_CHARS, clean_name
from training.corpus.readers.source_file import (
    NOTEBOOK_SUFFIX,
    REPOSITORY,
    TOO_LARGE,
    UNREADABLE,
    FileSelection,
    SourceFile,
)
from training.foundation.errors import CorpusError, ForeignDataError
from training.foundation.foreign_text import read_bounded

SKIPPED_FOLDERS = {
    *("site-packages", "dist-packages", "__pycache__", "node_modules", ".git", ".venv"),
    ".ipynb_checkpoints",
}


def read_folder(
    folder: Path, *, part: str, files: tuple[str, ...], selection: FileSelection
) -> Iterator[SourceFile]:
    """Yields a folder's Python files and notebooks, and the subfolders that are not read.

    Args:
        folder: The folder, to which paths are relative.
        part: The subfolder or file to read, empty for all.
        files: The only files to read, empty for all.
        selection: Larger files come without their content.

    Raises:
        CorpusError: The folder does not exist.
    """
    root = folder / part
    if not root.exists():
        raise CorpusError(f"{root} does not exist; correct the sources in the config")
    left_out: list[tuple[Path, str]] = []
    paths: Iterable[Path]
    if files:
        paths = [folder / file for file in files]
    else:
        walk = walk_python_files(
            root,
            notebooks=selection.notebooks,
            nested_repositories=selection.nested_repositories,
            on_left_out=lambda path, problem: left_out.append((path, problem)),
        )
        paths = [root] if root.is_file() else walk
    for path in paths:
        name = clean_name(path.relative_to(folder).as_posix(), MAX_PATH_CHARS)
        yield _read_file(path, name, selection.max_bytes_of(name))
    for path, problem in left_out:
        name = clean_name(path.relative_to(folder).as_posix(), MAX_PATH_CHARS)
        yield SourceFile(path=f"{name}/", problem=problem)


def _read_file(path: Path, name: str, max_bytes: int) -> SourceFile:
    try:
        if path.stat().st_size > max_bytes:  # checked before the file is read into memory
            return SourceFile(path=name, problem=TOO_LARGE)
        return SourceFile(path=name, data=read_bounded(path, max_bytes))
    except (OSError, ForeignDataError):
        return SourceFile(path=name, problem=UNREADABLE)


def walk_python_files(
    root: Path,
    *,
    notebooks: bool = False,
    nested_repositories: bool = False,
    on_left_out: Callable[[Path, str], object] = lambda _path, _problem: None,
) -> Iterator[Path]:
    """Yields a tree's Python files in a fixed order.

    Args:
        root: The folder.
        notebooks: Whether notebooks are yielded, too.
        nested_repositories: Whether those of repositories below the root are: submodules, clones.
        on_left_out: Called with each folder that is not read, and why: it cannot be listed, or is
            such a repository.
    """
    rules = IgnoreRules(root)
    suffixes = (".py", NOTEBOOK_SUFFIX) if notebooks else (".py",)
    waiting = [root]
    while waiting:  # not recursive: a tree may be deeper than the interpreter's stack
        here = waiting.pop()
        try:
            with os.scandir(here) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            on_left_out(here, UNREADABLE)
            continue
        is_nested = here != root and any(entry.name == ".git" for entry in entries)
        if is_nested and not nested_repositories:
            on_left_out(here, REPOSITORY)
            continue
        subfolders = []
        for entry in entries:
            path = here / entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in SKIPPED_FOLDERS and not rules.ignores(path, is_folder=True):
                    subfolders.append(path)
                continue
            is_wanted = entry.name.endswith(suffixes) and entry.is_file(follow_symlinks=False)
            if is_wanted and not rules.ignores(path, is_folder=False):
                yield path
        waiting += reversed(subfolders)
