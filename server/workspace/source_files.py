"""Reads the workspace's Python files for its memory: what may be read, without secrets."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from server.workspace.module_file import find_module_file, read_module_file
from server.workspace.secret_shapes import without_secrets
from server.workspace.token_index import SourceText
from server.workspace.tracked_files import list_python_files


def read_sources(root: Path, private_globs: Sequence[str]) -> Iterator[SourceText]:
    """Yields the files of a folder that may be read, with their paths within it.

    Args:
        root: The folder.
        private_globs: The user's private files, besides those that usually hold secrets.
    """
    targets = [Path(os.path.realpath(root))]
    for path in list_python_files(root):
        file = find_module_file(path, targets, private_globs)
        text = None if file is None else read_module_file(file)
        if text:
            shown = path.relative_to(root).as_posix()
            yield SourceText(path=shown, text=without_secrets(_normalise(text)))


def _normalise(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
