"""Text from elsewhere: where it comes in it is bounded and made well-formed, once.

JSON escapes, file names, arguments and environment variables may contain half a surrogate pair, a
``str`` that no encoding accepts. Whatever reads bytes that somebody else wrote uses
:func:`parse_json`, :func:`read_json` or :func:`replace_surrogates`, so that only well-formed text
is inside. Whatever writes text uses :func:`encode_text` or :func:`render_json`, as
:mod:`training.foundation.atomic_files` does. Printing cannot fail either: see
:func:`training.foundation.errors.run_main`. Limits of size and nesting are here too; what a value
means is up to the callers.
"""

import json
import math
import os
import re
import stat
from pathlib import Path
from typing import Any, NoReturn

from training.foundation.errors import ForeignDataError

MAX_JSON_BYTES = 64 << 20
MAX_JSON_DEPTH = 100  # of lists and objects within each other
MAX_NUMBER_DIGITS = 308  # beyond that a whole number is no float any more
LFS_POINTER_HEAD = b"version https://git-lfs.github.com/spec/"  # of a file not fetched yet
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def replace_surrogates(text: str) -> str:
    """Returns ``text`` with U+FFFD for each half of a surrogate pair; joins two that are a pair."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def replace_surrogates_within(value: Any) -> Any:
    """Returns plain data with :func:`replace_surrogates` applied to all its text, keys included."""
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, dict):
        return {
            replace_surrogates_within(k): replace_surrogates_within(v) for k, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        return type(value)(map(replace_surrogates_within, value))
    return value


def encode_text(text: str) -> bytes:
    """Returns ``text`` as UTF-8; never fails."""
    return replace_surrogates(text).encode("utf-8")


def path_text(path: str | bytes | os.PathLike[Any]) -> str:
    """Returns a file name as well-formed text, for messages, reports and records."""
    return replace_surrogates(os.fsdecode(path))


def parse_json(
    data: bytes | str,
    *,
    max_bytes: int = MAX_JSON_BYTES,
    max_depth: int = MAX_JSON_DEPTH,
    allow_nan: bool = False,
    unique_keys: bool = False,
) -> Any:
    """Parses JSON that somebody else may have written; all text in the result is well-formed.

    Args:
        data: UTF-8, with or without a byte order mark, or text.
        max_bytes: The most bytes accepted; for a ``str``, the most characters.
        max_depth: How many lists and objects may be within each other.
        allow_nan: Accept NaN and infinite numbers, which Python writes but JSON does not have.
        unique_keys: Refuse objects that repeat a key: another reader may take the other value.

    Raises:
        ForeignDataError: It is not JSON or exceeds a limit. The message is the reason, a clause.
    """
    if len(data) > max_bytes:
        raise ForeignDataError(f"it is implausibly large ({len(data)} bytes, limit {max_bytes})")
    try:
        text = (data.decode() if isinstance(data, bytes) else data).removeprefix("\ufeff")
        value = json.loads(
            text,
            parse_int=_parse_int,
            parse_float=float if allow_nan else _parse_float,
            parse_constant=None if allow_nan else _refuse_constant,
            object_pairs_hook=_refuse_repetition if unique_keys else None,
        )
    except UnicodeDecodeError as error:
        raise ForeignDataError(f"it is not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise ForeignDataError(
            f"it is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except RecursionError as error:
        raise ForeignDataError(f"it is nested more than {max_depth} levels deep") from error
    if _measure_depth(value, max_depth) > max_depth:
        raise ForeignDataError(f"it is nested more than {max_depth} levels deep")
    is_suspect = _SURROGATE_ESCAPE.search(text) or not (text.isascii() or isinstance(data, bytes))
    return replace_surrogates_within(value) if is_suspect else value


def read_json(
    path: Path,
    *,
    max_bytes: int = MAX_JSON_BYTES,
    max_depth: int = MAX_JSON_DEPTH,
    allow_nan: bool = False,
) -> Any:
    """Reads a JSON file; arguments as for :func:`parse_json`.

    Raises:
        ForeignDataError: It is no regular file, not JSON, or exceeds a limit; names the file.
        OSError: It cannot be read.
    """
    try:
        data = read_bounded(path, max_bytes)
        return parse_json(data, max_bytes=max_bytes, max_depth=max_depth, allow_nan=allow_nan)
    except ForeignDataError as error:
        raise ForeignDataError(f"{path} cannot be read: {error}") from error


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """Returns the content of a regular file, without waiting for a pipe or reading a device.

    Raises:
        ForeignDataError: It is something else, or longer. The message is the reason, a clause.
        OSError: It cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ForeignDataError("it is not a regular file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(max_bytes + 1)
    finally:
        os.close(handle)
    if len(data) > max_bytes:
        raise ForeignDataError(f"it is implausibly large (limit {max_bytes} bytes)")
    return data


def as_object(value: Any) -> dict[str, Any]:
    """Returns what was parsed from JSON if it is an object.

    Raises:
        ForeignDataError: It is something else.
    """
    if not isinstance(value, dict):
        raise ForeignDataError("it is not a JSON object")
    return value


def render_json(value: Any, *, indent: int | None = None) -> str:
    """Returns ``value`` as well-formed JSON text, other scripts unescaped."""
    return replace_surrogates(json.dumps(value, indent=indent, ensure_ascii=False))


def _parse_int(digits: str) -> int:
    if len(digits) > MAX_NUMBER_DIGITS:
        raise ForeignDataError(f"it has a number of {len(digits)} digits")
    return int(digits)


def _parse_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ForeignDataError(f"it has a number that is too large ({digits[:20]})")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ForeignDataError(f"it has the number {name}, which JSON does not know")


def _refuse_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ForeignDataError("an object in it has the same key twice")
    return found


def _measure_depth(value: Any, most: int) -> int:
    """Returns how deep ``value`` is nested, at most ``most + 1``."""
    level, depth = [value], 0
    while depth <= most:
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return depth
        depth += 1
    return depth
