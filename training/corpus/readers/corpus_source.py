"""A source of documents: a package, or a file or dataset of records.

Sources are listed by :mod:`training.corpus.extraction.source_list` and opened by
:mod:`training.corpus.readers.source_contents`.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from training.corpus.readers.package_metadata import PackageMetadata
from training.corpus.readers.records.record_slices import FileSlice


class SourceKind(StrEnum):
    """How a source is read."""

    PACKAGE = "package"  # a folder or an archive
    GIT = "git"
    RECORDS = "records"
    HUB = "hub"


@dataclass(frozen=True, kw_only=True)
class CorpusSource:
    """One package to read, or a file or dataset of records.

    Attributes:
        name: The normalized name, so that packages sort and compare alike however they are spelled.
        path: The folder or file.
        kind: How it is read.
        metadata: The package's metadata; None if they are found while it is read.
        part: Of a folder, the subfolder or file to read, empty for all; of a repository, the
            commit.
        files: Of a folder, the only files to read; empty for all.
        slices: Of records, the parts of files to read.
        limit: Of records, how many to read at most; None for all.
    """

    name: str
    path: Path
    kind: SourceKind = SourceKind.PACKAGE
    metadata: PackageMetadata | None = None
    part: str = ""
    files: tuple[str, ...] = ()
    slices: tuple[FileSlice, ...] = ()
    limit: int | None = None
