"""Files that a user names on the command line: read whole, or refused with what to correct."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.foundation.errors import ConfigError, PrerequisiteError

MAX_FILE_BYTES = 1 << 30  # after decompression


def read_text_file(path: Path, option: str) -> str:
    """Returns the text of a file, plain or ``.gz``.

    Args:
        path: The file.
        option: The option that named it, for messages.

    Raises:
        ConfigError: The file is not readable text.
        PrerequisiteError: The file does not exist.
    """
    try:
        if path.suffix != ".gz":
            return path.read_text(encoding="utf-8")
        with gzip.open(path) as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise ConfigError(
                f"{path} is larger than {MAX_FILE_BYTES} bytes when unpacked; split it"
            )
        return data.decode("utf-8")
    except FileNotFoundError as error:
        raise PrerequisiteError(f"the file {path} does not exist; correct {option}") from error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path} ({error}); correct {option}") from error


def read_json_lines(path: Path, option: str) -> Iterator[tuple[str, Any]]:
    """Yields each value of a JSON-lines file, preceded by its file and line for messages.

    Raises:
        ConfigError: As for :func:`read_text_file`, or a line is not JSON.
        PrerequisiteError: The file does not exist.
    """
    # not splitlines(): a value may contain any of Unicode's line separators
    for number, line in enumerate(read_text_file(path, option).split("\n"), 1):
        where = f"{path}, line {number}"
        if line.strip():
            try:
                yield where, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ConfigError(f"{where}: not valid JSON ({error}); correct the line") from error
