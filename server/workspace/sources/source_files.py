"""Finds and reads the workspace's Python files: what may be read, without secrets."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.workspace.module_file import ModuleFile, find_module_file, read_module_file
from server.workspace.sources.secret_shapes import without_secrets
from server.workspace.sources.tracked_files import list_python_files
from training.foundation.foreign_text import replace_surrogates


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file of the workspace.

    Attributes:
        path: As the editor names it: links are not followed.
        file: What is read.
    """

    path: str
    file: ModuleFile

    def read(self) -> str:
        """Returns its text as it may be remembered; "" if it cannot be read."""
        return clean_source(read_module_file(self.file) or "")


def find_sources(roots: Sequence[Path], private_globs: Sequence[str]) -> Iterator[SourceFile]:
    """Yields the files of folders that may be read, each once.

    Args:
        roots: The folders.
        private_globs: The user's private files, besides those that usually hold secrets.
    """
    targets = [Path(os.path.realpath(root)) for root in roots]
    seen = set()
    for root in roots:
        for path in list_python_files(root):
            file = find_module_file(path, targets, private_globs)
            if file is not None and file.path not in seen:
                seen.add(file.path)
                yield SourceFile(path=str(path), file=file)


def clean_source(text: str) -> str:
    """Returns a text as it may be remembered: well-formed, with line feeds, without secrets."""
    text = replace_surrogates(text)  # an editor or an encoding may leave halves of pairs
    return without_secrets(text.replace("\r\n", "\n").replace("\r", "\n"))
