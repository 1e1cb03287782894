"""Files that a user names, or that lie in a folder that may be a stranger's.

Only regular files are read, and no more of them than a limit: a link may lead to a device that
never ends, a pipe that never answers, or a file that its owner did not mean to put into a report;
a small compressed file may hold a large one. All text is well-formed.
"""

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from training.foundation.errors import ConfigError, ForeignDataError, PrerequisiteError
from training.foundation.foreign_text import parse_json

MAX_FILE_BYTES = 1 << 30  # after decompression
MAX_LINE_BYTES = 64 << 20
MAX_LINES = 5_000_000  # the largest benchmark, with 200 samples of each problem, has 1.2 million


def read_text_file(
    path: Path, option: str, *, within: Path | None = None, max_bytes: int = MAX_FILE_BYTES
) -> str:
    """Returns the text of a file, plain or ``.gz``.

    Args:
        path: The file.
        option: The option that named it, for messages.
        within: The folder that the file must lie in, after links are followed; None for any.
        max_bytes: The longest accepted, after decompression.

    Raises:
        ConfigError: The file is not readable text, no regular file, too long, or elsewhere.
        PrerequisiteError: The file does not exist.
    """
    with open_input(path, option, within=within) as file:
        data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise _too_large(path, max_bytes)
        return data.decode("utf-8-sig")


def read_json_lines(path: Path, option: str) -> Iterator[tuple[str, Any]]:
    """Yields each value of a JSON-lines file, preceded by its file and line for messages.

    Raises:
        ConfigError: As for :func:`read_text_file`, or a line is not JSON.
        PrerequisiteError: The file does not exist.
    """
    with open_input(path, option) as file:
        n_bytes = 0
        for number, line in enumerate(split_lines(file, path), 1):
            n_bytes += len(line)
            if n_bytes > MAX_FILE_BYTES:
                raise _too_large(path, MAX_FILE_BYTES)
            if number > MAX_LINES:
                raise ConfigError(f"{path} has over {MAX_LINES} lines; split it")
            if line.isspace():
                continue
            where = f"{path}, line {number}"
            try:
                value = parse_json(line, max_bytes=MAX_LINE_BYTES, allow_nan=True)
            except ForeignDataError as error:
                raise ConfigError(f"{where}: not valid JSON ({error}); correct the line") from error
            yield where, value


@contextmanager
def open_input(path: Path, option: str, *, within: Path | None = None) -> Iterator[IO[bytes]]:
    """Opens a file, decompressed if its name ends in ``.gz``.

    What goes wrong in the block while it is read is reported as a fault of the file.

    Raises:
        ConfigError: It cannot be read, is no regular file, or is elsewhere.
        PrerequisiteError: The file does not exist.
    """
    try:
        target = path.resolve(strict=True)
        if within is not None and not target.is_relative_to(within.resolve()):
            raise ConfigError(
                f"{path} is a link to a file outside of {within}; replace it by the file that you"
                " mean"
            )
        with _open_regular_file(target, path, option) as raw:
            if path.suffix != ".gz":
                yield raw
            else:
                with gzip.GzipFile(fileobj=raw) as file:
                    yield cast("IO[bytes]", file)
    except FileNotFoundError as error:
        raise PrerequisiteError(f"the file {path} does not exist; correct {option}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"cannot read {path} (not UTF-8 text: byte {error.start}); correct {option}"
        ) from error
    except (OSError, EOFError, zlib.error, RuntimeError) as error:  # RuntimeError: a loop of links
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot read {path} ({reason}); correct {option}") from error


def split_lines(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """Yields a file's lines, each but perhaps the last with its line feed.

    Only line feeds end a line: a value may contain any of Unicode's other line separators.

    Raises:
        ConfigError: A line is too long.
    """
    while line := file.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            raise ConfigError(f"{path} has a line of over {MAX_LINE_BYTES} bytes; shorten it")
        yield line


@contextmanager
def _open_regular_file(target: Path, path: Path, option: str) -> Iterator[IO[bytes]]:
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    flags |= getattr(os, "O_BINARY", 0)
    with open(target, "rb", opener=lambda name, _: os.open(name, flags)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ConfigError(f"{path} is not a regular file; name one with {option}")
        yield file


def _too_large(path: Path, max_bytes: int) -> ConfigError:
    unpacked = " when unpacked" if path.suffix == ".gz" else ""
    return ConfigError(f"{path} is larger than {max_bytes} bytes{unpacked}; split it")
