"""Writing files so that a crash leaves the old version or the new one, never a partial one."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training.foundation.errors import ConfigError
from training.foundation.foreign_text import encode_text, render_json


def write_text_atomically(path: Path, text: str) -> None:
    """Replaces ``path`` with ``text`` (UTF-8): temporary file, flush to disk, rename.

    Half a surrogate pair becomes U+FFFD.
    """
    write_bytes_atomically(path, encode_text(text))


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Replaces ``path`` with ``content``: temporary file, flush to disk, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).chmod(0o644)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_json_atomically(path: Path, value: Any) -> None:
    """Replaces ``path`` with ``value`` as indented JSON."""
    write_text_atomically(path, render_json(value, indent=2) + "\n")


@contextmanager
def write_directory_atomically(target: Path) -> Iterator[Path]:
    """Yields a new directory that replaces ``target`` if the block succeeds.

    Files already in ``target`` are not kept; after an error ``target`` is unchanged.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.new-"))
    aside.chmod(0o755)
    try:
        yield aside
        for file in sorted(p for p in aside.rglob("*") if p.is_file()):
            sync_file(file)
        sync_directory(aside)
        _exchange(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def check_replaceable(folder: Path, *, mark: str, key: str) -> None:
    """Refuses to replace a folder that this command did not write.

    Args:
        folder: What is about to be replaced.
        mark: A file that only this command writes.
        key: The setting that names the folder.

    Raises:
        ConfigError: The folder holds something else.
    """
    is_free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not is_free and not (folder / mark).is_file():
        raise ConfigError(
            f"{key} is {folder}, which holds something else (no {mark}) and would be replaced;"
            " choose a new or empty folder"
        )


def _exchange(aside: Path, target: Path) -> None:
    if not target.exists():
        aside.rename(target)
    else:
        old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old-"))
        target.rename(old / "old")
        aside.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    sync_directory(target.parent)


def sync_file(path: Path) -> None:
    """Flushes a file's content to disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Flushes a directory's entries to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_sha256(path: Path) -> str:
    """Returns the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
