"""Streams records of source files from local files: JSON lines, Parquet, CSV and text.

BigQuery exports, Hub datasets and other corpora use this form: one file per record, with its own
repository and licence. A damaged line is a counted drop; only a file that cannot be read at all is
an error. Called by :mod:`training.corpus.readers.source_contents`.
"""

import os
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath

from training.corpus.config import ArchiveLimits
from training.corpus.readers.archives.zip_members import list_zip_members
from training.corpus.readers.reading_limits import check_file, report_damage
from training.corpus.readers.records.record_parsing import RecordParser
from training.corpus.readers.records.record_slices import (
    MEMBER_SUFFIXES,
    PARQUET,
    ZIP,
    FileSlice,
    RecordFile,
    iterate_slice,
    open_file,
)
from training.corpus.readers.source_file import SourceFile

SLICE_BYTES = {".json": 64 << 20, ".jsonl": 64 << 20, PARQUET: 128 << 20}
RECORDS_ADVICE = "fetch it again or remove it from sources.records"


def list_record_files(path: Path, advice: str) -> list[RecordFile]:
    """Returns a local file, or the files of records in a zip archive.

    Raises:
        CorpusError: It is no regular file, or a damaged archive.
    """
    check_file(path, advice)
    return expand_zip(RecordFile(path=os.fspath(path), n_bytes=path.stat().st_size), advice)


def read_slice(
    part: FileSlice, parser: RecordParser, limits: ArchiveLimits, *, advice: str
) -> Iterator[SourceFile]:
    """Yields the records of a slice of a file, local or not.

    Raises:
        CorpusError: The file is damaged, or beyond its limits; ``advice`` says what to do.
    """
    is_whole = part.count == 1
    n_rows = 0
    with report_damage(part.file.path, "is damaged", advice):
        for read in iterate_slice(part, parser, limits):
            for row in read.rows:
                n_rows += 1
                yield parser.parse(row, n_rows if is_whole else read.number)


def slice_for_processes(file: RecordFile) -> list[FileSlice]:
    """Returns the parts of a file that processes read at once; a packed file is one."""
    size = SLICE_BYTES.get(PurePath(file.name).suffix) if not file.member else None
    count = max(1, -(-file.n_bytes // size)) if size else 1
    return [FileSlice(file=file, index=index, count=count) for index in range(count)]


def expand_zip(file: RecordFile, advice: str) -> list[RecordFile]:
    """Returns the files of records in a zip archive; any other file as it is.

    Raises:
        CorpusError: The archive is damaged.
    """
    if not file.path.endswith(ZIP):
        return [file]
    with report_damage(file.path, "is damaged", advice), open_file(file) as archive:
        members = list_zip_members(archive, file.path)
    return [
        RecordFile(path=file.path, n_bytes=n_bytes, member=name)
        for name, n_bytes in members
        if name.endswith(MEMBER_SUFFIXES) and not _is_aside(name)
    ]


def _is_aside(name: str) -> bool:
    """Returns whether a member is no file of its own: one that macOS adds, or a suffix alone."""
    stem = PurePosixPath(name).name
    return stem.startswith("._") or stem in MEMBER_SUFFIXES
