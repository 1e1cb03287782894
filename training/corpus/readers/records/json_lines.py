"""Reads JSON lines: one record a line, or a list of records in one line.

A line that is too long, malformed or nested too deeply is a counted drop. Called by
:mod:`training.corpus.readers.records.record_slices`.
"""

from collections.abc import Iterator
from typing import IO

from training.corpus.readers.records.record_parsing import DAMAGED_RECORD, Unparsable
from training.corpus.readers.source_file import TOO_LARGE
from training.foundation.errors import ForeignDataError
from training.foundation.foreign_text import parse_json


def iterate_lines(stream: IO[bytes], max_line_bytes: int) -> Iterator[tuple[bytes | None, int]]:
    """Yields each line and its length in the file; None instead of one that is too long.

    Args:
        stream: The file, unpacked.
        max_line_bytes: Longer lines are skipped; parsing takes about 30 times as much memory.
    """
    while line := stream.readline(max_line_bytes + 1):
        n_bytes = len(line)
        if n_bytes <= max_line_bytes:
            yield line, n_bytes
            continue
        while line and not line.endswith(b"\n"):  # skip the rest of the line
            line = stream.readline(max_line_bytes)
            n_bytes += len(line)
        yield None, n_bytes


def parse_line(line: bytes | None, max_bytes: int) -> list[object]:
    """Returns the records of a line of :func:`iterate_lines`; none if it is blank."""
    if line is None:
        return [Unparsable(TOO_LARGE)]
    if not line.strip():
        return []
    try:
        value = parse_json(line, max_bytes=max_bytes, allow_nan=True)
    except ForeignDataError:
        return [Unparsable(DAMAGED_RECORD)]
    is_list = isinstance(value, list) and value and all(isinstance(row, dict) for row in value)
    return value if is_list else [value]
