"""JSON-lines files that survive a kill: appended to, flushed, read back without the torn end."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from training.foundation.errors import ConfigError


class Journal:
    """Appends records to a file; each is on disk when :meth:`append` returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _drop_torn_end(path)
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def append(self, record: dict[str, Any]) -> None:
        """Writes one record."""
        self._file.write(line_of(record))
        self._file.flush()
        os.fsync(self._file.fileno())


def line_of(record: dict[str, Any]) -> str:
    """Returns a record as its line."""
    return json.dumps(record, ensure_ascii=True) + "\n"


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the whole records of a journal; a torn last line is passed over.

    Raises:
        ConfigError: A line before the last is no JSON object.
    """
    if not path.exists():
        return
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], 1):  # behind the last line feed nothing is whole
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: not valid JSON; remove the line") from error
        if not isinstance(record, dict):
            raise ConfigError(f"{path}, line {number}: expected a JSON object; remove the line")
        yield record


def _drop_torn_end(path: Path) -> None:
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
