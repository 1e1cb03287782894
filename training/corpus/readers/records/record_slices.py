"""A file of records in slices, each of which can be read from any position.

A slice is the unit that processes share: a range of bytes of plain JSON lines, every n-th row group
of a Parquet file, every n-th record of anything else. A position is what a reader must know to go
on: plain lines are entered at a byte; of compressed ones those before it are unpacked, but not
parsed. Files are local or of any storage that ``fsspec`` opens. Called by
:mod:`training.corpus.readers.records.record_files` and by streamed training.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any

from training.corpus.config import ArchiveLimits
from training.corpus.readers.archives.zip_members import open_zip_member
from training.corpus.readers.decompression import GZIP, ZSTD, open_unpacked
from training.corpus.readers.reading_limits import ReadingBudget, open_records_budget
from training.corpus.readers.records.csv_rows import iterate_csv_rows
from training.corpus.readers.records.json_lines import iterate_lines, parse_line
from training.corpus.readers.records.parquet_rows import iterate_parquet_rows
from training.corpus.readers.records.record_parsing import RecordParser, Unparsable
from training.corpus.readers.source_file import TOO_LARGE

PARQUET, ZIP = ".parquet", ".zip"
LINES, TABLES, TEXTS = (".json", ".jsonl"), {".csv": ",", ".tsv": "\t"}, (".py", ".txt")
PACKED = {".gz": GZIP, ".zst": ZSTD}
_UNPACKED_SUFFIXES = (*LINES, *TABLES, *TEXTS)
# What a file of records is called; those within a zip archive may not be Parquet.
MEMBER_SUFFIXES = tuple(s + p for s in _UNPACKED_SUFFIXES for p in ("", *PACKED))
SUFFIXES = (*MEMBER_SUFFIXES, PARQUET, ZIP)


@dataclass(frozen=True, kw_only=True)
class RecordFile:
    """A file of records.

    Attributes:
        path: Its local path, or its URL.
        n_bytes: Its size.
        member: Of a zip archive, the file in it.
    """

    path: str
    n_bytes: int
    member: str = ""

    @property
    def name(self) -> str:
        """What says its format."""
        return self.member or self.path

    @property
    def is_remote(self) -> bool:
        """Whether it is read over a network."""
        return "://" in self.path

    @property
    def is_plain_lines(self) -> bool:
        """Whether it can be entered at any byte."""
        return self.name.endswith(LINES) and not self.member


@dataclass(frozen=True, kw_only=True)
class FileSlice:
    """One of ``count`` parts of a file, which have no record in common and leave none out."""

    file: RecordFile
    index: int = 0
    count: int = 1

    @property
    def n_bytes(self) -> int:
        """About how much of the file it is."""
        return self.file.n_bytes // self.count


@dataclass(frozen=True, kw_only=True)
class SlicePosition:
    """How far a slice was read.

    Attributes:
        n_read: Lines, rows or records, those of other slices included.
        offset: The byte of the next line, in a file that can be entered there.
    """

    n_read: int = 0
    offset: int | None = None


START = SlicePosition()


@dataclass(frozen=True, kw_only=True)
class ReadRecords:
    """What was read in one go: the records of a line, or a row.

    Attributes:
        rows: The records.
        number: Tells them from the others of the file.
        after: Where to go on.
    """

    rows: list[object]
    number: int
    after: SlicePosition

    @property
    def n_bytes(self) -> int:
        """About how much text the records hold."""
        rows = (row for row in self.rows if isinstance(row, dict))
        return sum(len(v) for row in rows for v in row.values() if isinstance(v, (str, bytes)))


def iterate_slice(
    part: FileSlice, parser: RecordParser, limits: ArchiveLimits, start: SlicePosition = START
) -> Iterator[ReadRecords]:
    """Yields the records of a slice from a position on.

    Raises:
        BeyondLimitsError: The file unpacks to more than its size allows.
        Exception: Whatever libraries raise if it is damaged, or cannot be reached.
    """
    with open_file(part.file) as file:
        yield from iterate_open_slice(file, part, parser, limits, start)


def iterate_open_slice(
    file: IO[bytes],
    part: FileSlice,
    parser: RecordParser,
    limits: ArchiveLimits,
    start: SlicePosition = START,
) -> Iterator[ReadRecords]:
    """Does the same for a file that is open, at its beginning."""
    budget = open_records_budget(part.file.path, part.file.n_bytes, limits)
    name = part.file.name
    if name.endswith(PARQUET):
        rows = iterate_parquet_rows(
            file,
            part.file.path,
            parser.fields,
            budget,
            part=(part.index, part.count),
            n_read=start.n_read,
        )
        for n_read, row in rows:
            yield ReadRecords(rows=[row], number=n_read, after=SlicePosition(n_read=n_read))
    elif part.file.is_plain_lines and _is_plain(file):
        yield from _iterate_range(file, part, parser.max_record_bytes, start)
    else:
        yield from _iterate_unpacked(file, part, parser, budget, start)


@contextmanager
def open_file(file: RecordFile) -> Iterator[IO[bytes]]:
    """Opens a file, or what a zip archive holds of it as it is there."""
    import fsspec  # noqa: PLC0415 - slow to import, and not needed to list files

    opened: Any = fsspec.open(file.path, "rb") if file.is_remote else open(file.path, "rb")  # noqa: PTH123, SIM115 - the name may be no UTF-8
    with opened as content:
        if not file.member:
            yield content
            return
        with open_zip_member(content, file.path, file.member) as member:
            yield member


def _is_plain(file: IO[bytes]) -> bool:
    """Returns whether nothing has packed what is called plain."""
    head = file.read(max(map(len, PACKED.values())))
    file.seek(0)
    return not head.startswith(tuple(PACKED.values()))


def _iterate_range(
    file: IO[bytes], part: FileSlice, max_line_bytes: int, start: SlicePosition
) -> Iterator[ReadRecords]:
    """Yields the lines that begin within the slice's range of bytes."""
    n_bytes = file.seek(0, 2)
    first, end = (n_bytes * i // part.count for i in (part.index, part.index + 1))
    offset, n_read = start.offset, start.n_read
    if offset is None:
        offset = file.seek(max(0, first - 1))
        if first > 0:  # behind the line that the slice before it reads
            _, skipped = next(iterate_lines(file, max_line_bytes), (None, 0))
            offset += skipped
    file.seek(offset)
    if offset >= end:
        return
    for line, n_line_bytes in iterate_lines(file, max_line_bytes):
        n_read += 1
        number = n_read if part.index == 0 else offset
        offset += n_line_bytes
        yield ReadRecords(
            rows=parse_line(line, max_line_bytes),
            number=number,
            after=SlicePosition(n_read=n_read, offset=offset),
        )
        if offset >= end:
            return


def _iterate_unpacked(
    file: IO[bytes],
    part: FileSlice,
    parser: RecordParser,
    budget: ReadingBudget,
    start: SlicePosition,
) -> Iterator[ReadRecords]:
    """Yields every n-th record of a file that is read from its beginning."""
    suffixes = PurePosixPath(part.file.name).suffixes
    magic = PACKED.get(suffixes[-1], b"")
    if file.read(len(magic)) != magic:
        raise ValueError(f"it does not begin as {suffixes[-1]} files do")
    file.seek(0)
    stream = open_unpacked(file, budget)
    kind = suffixes[-2] if magic else suffixes[-1]
    if kind in TEXTS:
        records = _read_text(stream, part.file.name, parser)
    elif kind in TABLES:
        rows = iterate_csv_rows(stream, parser.max_record_bytes, delimiter=TABLES[kind])
        records = ([row] for row in rows)
    else:
        yield from _iterate_packed_lines(stream, part, parser.max_record_bytes, start)
        return
    for n_read, found in enumerate(records, start=1):
        if n_read > start.n_read and (n_read - 1) % part.count == part.index:
            yield ReadRecords(rows=found, number=n_read, after=SlicePosition(n_read=n_read))


def _iterate_packed_lines(
    stream: IO[bytes], part: FileSlice, max_line_bytes: int, start: SlicePosition
) -> Iterator[ReadRecords]:
    lines = enumerate(iterate_lines(stream, max_line_bytes), start=1)
    for n_read, (line, _) in lines:
        if n_read > start.n_read and (n_read - 1) % part.count == part.index:
            yield ReadRecords(
                rows=parse_line(line, max_line_bytes),
                number=n_read,
                after=SlicePosition(n_read=n_read),
            )


def _read_text(stream: IO[bytes], name: str, parser: RecordParser) -> Iterator[list[object]]:
    """Yields the whole file as the one record that it is."""
    text = stream.read(parser.max_bytes + 1)
    if len(text) > parser.max_bytes:
        yield [Unparsable(TOO_LARGE)]
        return
    path = PurePosixPath(name.removesuffix(".gz").removesuffix(".zst")).with_suffix(".py").name
    yield [{parser.fields.text[0]: text, parser.fields.path[0]: path}]
