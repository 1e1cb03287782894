"""JSON-lines files that survive a kill: append, flush to disk, read without a torn last line.

A folder of a run may be a stranger's, so a journal is a regular file in it, never a link, and its
records are checked when they are read.
"""

import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from evaluation.runs.input_files import open_input, split_lines
from training.foundation.errors import ConfigError, ForeignDataError
from training.foundation.foreign_text import parse_json

SYNC_INTERVAL_S = 0.5
_BLOCK_BYTES = 1 << 16

T = TypeVar("T")


class Journal:
    """A file of records.

    A record is with the operating system when :meth:`append` returns, so that a killed process
    loses none; it is on disk half a second later, or at the next record after that.

    Raises:
        ConfigError: The path is a link, or no regular file.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        if path.is_symlink():
            raise ConfigError(f"{path} is a link, which is not written to; delete it")
        self._file = open(  # noqa: SIM115 - closed with the journal
            path, "a+b", buffering=0, opener=lambda name, _: os.open(name, flags, 0o644)
        )
        if not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            self._file.close()
            raise ConfigError(f"{path} is not a regular file; delete it")
        self._file.truncate(_measure_whole_lines(self._file))
        self._n_bytes = os.fstat(self._file.fileno()).st_size
        self._synced_s = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Flushes the file to disk and closes it."""
        try:
            os.fsync(self._file.fileno())
        finally:
            self._file.close()

    def append(self, record: Mapping[str, object]) -> None:
        """Appends one record, or leaves the file as it was if the disk is full."""
        line = to_json_line(record).encode("ascii")
        try:
            written = self._file.write(line)
            while written < len(line):  # the disk is full: the rest raises
                written += self._file.write(line[written:])
        except OSError:
            self._file.truncate(self._n_bytes)
            raise
        self._n_bytes += len(line)
        if time.monotonic() > self._synced_s + SYNC_INTERVAL_S:
            os.fsync(self._file.fileno())
            self._synced_s = time.monotonic()


def to_json_line(record: Mapping[str, object]) -> str:
    """Returns a record as one line of JSON, with its line feed."""
    return json.dumps(record, ensure_ascii=True) + "\n"


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the complete records of a journal; a torn last line is skipped.

    Raises:
        ConfigError: The file cannot be read, or a line before the last is not a JSON object.
    """
    if not path.exists():
        return
    with open_input(path, "--out", within=path.parent) as file:
        for number, line in enumerate(split_lines(file, path), 1):
            if not line.endswith(b"\n"):
                return
            try:
                record = parse_json(line, allow_nan=True)
            except ForeignDataError as error:
                raise ConfigError(
                    f"{path}, line {number}: not valid JSON; remove the line"
                ) from error
            if not isinstance(record, dict):
                raise ConfigError(f"{path}, line {number}: expected a JSON object; remove the line")
            yield record


def read_records(path: Path, parse: Callable[[dict[str, Any]], T]) -> Iterator[T]:
    """Yields what ``parse`` makes of each record of a journal.

    Raises:
        ConfigError: As for :func:`read_journal`, or ``parse`` refuses a record by a ``KeyError``, a
            ``TypeError`` or a ``ValueError``.
    """
    for number, record in enumerate(read_journal(path), 1):
        try:
            parsed = parse(record)
        except (KeyError, TypeError, ValueError) as error:
            reason = f"no key {error}" if isinstance(error, KeyError) else error
            raise ConfigError(f"{path}, record {number}: {reason}; remove the line") from error
        yield parsed


def _measure_whole_lines(file: IO[bytes]) -> int:
    """Returns the length of a file without a torn last line, in bytes."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = file.seek(max(0, end - _BLOCK_BYTES))
        at = file.read(end - start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0
