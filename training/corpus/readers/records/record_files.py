"""Streams records of source files from JSON lines (plain, gzip or zstd) and Parquet.

BigQuery exports, Hub datasets and other corpora use this form: one file per record, with its own
repository and licence. A damaged line is a counted drop; only a file that cannot be read at all is
an error. Called by :mod:`training.corpus.readers.source_contents`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from training.corpus.config import ArchiveLimits
from training.corpus.readers.decompression import GZIP, ZSTD, open_unpacked
from training.corpus.readers.reading_limits import (
    check_file,
    open_records_budget,
    report_damage,
)
from training.corpus.readers.records.json_lines import iterate_json_lines
from training.corpus.readers.records.parquet_rows import iterate_parquet_rows
from training.corpus.readers.records.record_parsing import RecordParser
from training.corpus.readers.source_file import SourceFile

PARQUET = ".parquet"
SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz", ".json.zst", ".jsonl.zst", PARQUET)
_MAGIC = {".gz": GZIP, ".zst": ZSTD}
_ADVICE = "fetch it again or remove it from sources.records"


def read_records(path: Path, parser: RecordParser, limits: ArchiveLimits) -> Iterator[SourceFile]:
    """Yields a file's records in order.

    Raises:
        CorpusError: The file is damaged, of an unknown kind, or beyond its limits.
    """
    check_file(path, _ADVICE)
    with report_damage(path, "is damaged", _ADVICE), path.open("rb") as file:
        rows = iterate_rows(file, path, parser, limits)
        for number, row in enumerate(rows, start=1):
            yield parser.parse(row, number)


def iterate_rows(
    file: IO[bytes], path: Path | str, parser: RecordParser, limits: ArchiveLimits
) -> Iterator[object]:
    """Yields the rows of an open file whose name says its format.

    Raises:
        BeyondLimitsError: It unpacks to more than its size allows.
        Exception: Whatever libraries raise if it is damaged.
    """
    n_bytes = file.seek(0, 2)
    file.seek(0)
    budget = open_records_budget(path, n_bytes, limits)
    suffix = Path(path).suffix
    if suffix == PARQUET:
        yield from iterate_parquet_rows(file, path, parser.fields, budget)
        return
    magic = _MAGIC.get(suffix, b"")
    if file.read(len(magic)) != magic:
        raise ValueError(f"it does not begin as {suffix} files do")
    file.seek(0)
    yield from iterate_json_lines(open_unpacked(file, budget), parser.max_record_bytes)
