"""A package's documents as files on disk, for what reads a workspace there."""

import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from evaluation.runs.corpus_documents import CorpusDocument


class PackageFolders:
    """Packages, and a temporary folder for their files; a context manager that removes it.

    Args:
        documents: All documents of all packages.
    """

    def __init__(self, documents: Iterable[CorpusDocument]) -> None:
        self.packages = group_packages(documents)
        self._folder = tempfile.TemporaryDirectory(prefix="packages-")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return Path(self._folder.name)


def write_documents(root: Path, documents: Iterable[CorpusDocument]) -> None:
    """Writes documents below ``root``, except those whose path leads elsewhere or is taken."""
    for document in documents:
        parts = PurePosixPath(document.path).parts
        if not parts or any(part in {"..", "/"} or "\0" in part for part in parts):
            continue
        file = root.joinpath(*parts)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8", errors="replace", newline="") as opened:
                opened.write(document.text)
        except OSError:  # a name that is too long, or both a file's and a folder's
            continue


def group_packages(documents: Iterable[CorpusDocument]) -> dict[str, list[CorpusDocument]]:
    """Returns the documents of each package."""
    packages: dict[str, list[CorpusDocument]] = {}
    for document in documents:
        packages.setdefault(document.package, []).append(document)
    return packages
