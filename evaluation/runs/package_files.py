"""A package's documents as files on disk, for what reads a workspace there."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from evaluation.runs.corpus_documents import CorpusDocument


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
