"""JSON-lines files that survive a kill: append, flush to disk, read without a torn last line."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from training.foundation.errors import ConfigError


class Journal:
    """A file of records; each record is on disk when :meth:`append` returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _truncate_torn_line(path)
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def append(self, record: Mapping[str, object]) -> None:
        """Appends one record and flushes it to disk."""
        self._file.write(to_json_line(record))
        self._file.flush()
        os.fsync(self._file.fileno())


def to_json_line(record: Mapping[str, object]) -> str:
    """Returns a record as one line of JSON, with its line feed."""
    return json.dumps(record, ensure_ascii=True) + "\n"


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the complete records of a journal; a torn last line is skipped.

    Raises:
        ConfigError: A line before the last is not a JSON object.
    """
    if not path.exists():
        return
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], 1):  # text after the last line feed is torn
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: not valid JSON; remove the line") from error
        if not isinstance(record, dict):
            raise ConfigError(f"{path}, line {number}: expected a JSON object; remove the line")
        yield record


def _truncate_torn_line(path: Path) -> None:
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
