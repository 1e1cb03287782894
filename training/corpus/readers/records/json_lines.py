"""Reads JSON lines: one record a line, or a list of records in one line.

A line that is too long, malformed or nested too deeply is a counted drop. Called by
:mod:`training.corpus.readers.records.record_files`.
"""

from collections.abc import Iterator
from typing import IO

from training.corpus.readers.records.record_parsing import DAMAGED_RECORD, Unparsable
from training.corpus.readers.source_file import TOO_LARGE
from training.foundation.errors import ForeignDataError
from training.foundation.foreign_text import parse_json


def iterate_json_lines(stream: IO[bytes], max_line_bytes: int) -> Iterator[object]:
    """Yields what each line that is not blank holds, or why it could not be read.

    Args:
        stream: The file, unpacked.
        max_line_bytes: Longer lines are skipped; parsing takes about 30 times as much memory.
    """
    while line := stream.readline(max_line_bytes + 1):
        if len(line) > max_line_bytes:
            while line and not line.endswith(b"\n"):  # skip the rest of the line
                line = stream.readline(max_line_bytes)
            yield Unparsable(TOO_LARGE)
        elif line.strip():
            yield from _parse_line(line, max_line_bytes)


def _parse_line(line: bytes, max_bytes: int) -> Iterator[object]:
    try:
        value = parse_json(line, max_bytes=max_bytes, allow_nan=True)
    except ForeignDataError:
        yield Unparsable(DAMAGED_RECORD)
        return
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        yield from value
    else:
        yield value
