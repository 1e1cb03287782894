"""Reads the rows of comma- or tab-separated files, within limits.

The first row names the columns. Text is passed on as the bytes it was, so that what is not UTF-8 is
seen and dropped later. Called by :mod:`training.corpus.readers.records.record_slices`.
"""

import csv
from collections.abc import Iterator
from typing import IO

from training.corpus.readers.records.json_lines import iterate_lines
from training.corpus.readers.records.record_parsing import DAMAGED_RECORD, Unparsable

MAX_COLUMNS = 1000


def iterate_csv_rows(
    stream: IO[bytes], max_record_bytes: int, *, delimiter: str
) -> Iterator[object]:
    """Yields the rows as mappings from the names in the first one to text in bytes.

    A line with a carriage return within it, which no reader understands without quotes, is damaged;
    the next one is read again.

    Args:
        stream: The file, unpacked.
        max_record_bytes: A larger row ends the reading: where it ends is unknown.
        delimiter: What separates the values.

    Raises:
        ValueError: A row is too large, or the first one names no columns.
        csv.Error: The file is damaged.
    """
    csv.field_size_limit(max_record_bytes)  # of this process; the default is 128 KiB
    lines = _BoundedLines(stream, max_record_bytes)
    rows = csv.reader(lines, delimiter=delimiter)
    names = next(rows, [])
    if not 0 < len(names) <= MAX_COLUMNS:
        raise ValueError(f"its first row names {len(names)} columns")
    names[0] = names[0].removeprefix("\ufeff")
    while True:
        lines.n_bytes = 0
        try:
            row = next(rows, None)
        except csv.Error as error:
            if "new-line character" not in str(error):
                raise
            yield Unparsable(DAMAGED_RECORD)
            continue
        if row is None:
            return
        values = (value.encode("utf-8", "surrogateescape") for value in row)
        yield dict(zip(names, values, strict=False))


class _BoundedLines:
    """The lines of a file as text, of which one row may take only so many bytes."""

    def __init__(self, stream: IO[bytes], max_record_bytes: int) -> None:
        self._lines = iterate_lines(stream, max_record_bytes)
        self._max_bytes = max_record_bytes
        self.n_bytes = 0  # since the last row

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line, n_bytes = next(self._lines)
        self.n_bytes += n_bytes
        if line is None or self.n_bytes > self._max_bytes:
            raise ValueError(f"a row has more than {self._max_bytes} bytes")
        return line.decode("utf-8", "surrogateescape")
