"""Writing files so that a crash leaves the old version or the new one, never a partial one."""

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from training.foundation.errors import ConfigError
from training.foundation.foreign_text import encode_text, render_json

_ASIDE = re.compile(r"\.(.+)\.(?:new|old)-\w+")  # as write_directory_atomically names them


@contextmanager
def name_file(path: Path) -> Iterator[None]:
    """Adds the file's name to errors of the operating system that libraries raise without it."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


def write_text_atomically(path: Path, text: str) -> None:
    """Replaces ``path`` with ``text`` (UTF-8): temporary file, flush to disk, rename.

    Half a surrogate pair becomes U+FFFD.
    """
    write_bytes_atomically(path, encode_text(text))


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Replaces ``path`` with ``content``: temporary file, flush to disk, rename."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
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


@dataclass(frozen=True, kw_only=True)
class FolderContents:
    """What a kind of folder consists of, so that nothing else in it is ever removed.

    Attributes:
        mark: A file that each such folder has, and folders of other kinds have not.
        files: Patterns of all files that may be in it, relative to the folder, the mark included.
    """

    mark: str
    files: frozenset[str]

    def find_foreign(self, folder: Path) -> Path | None:
        """Returns something in ``folder`` that does not belong to it, or None.

        The first such thing decides, and no folder is entered that is not ours: it may be ``/``.
        """
        return self._find_foreign(folder, folder)

    def _find_foreign(self, top: Path, folder: Path) -> Path | None:
        folders = {str(parent) for file in self.files for parent in PurePosixPath(file).parents}
        with os.scandir(folder) as entries:
            for entry in entries:
                path = Path(entry.path)
                name = path.relative_to(top).as_posix()
                if entry.is_dir(follow_symlinks=False):
                    foreign = self._find_foreign(top, path) if name in folders else path
                elif any(fnmatchcase(name, pattern) for pattern in self.files):
                    foreign = None
                else:
                    foreign = path
                if foreign is not None:
                    return foreign
        return None


NOTHING = FolderContents(mark="", files=frozenset())


def check_replaceable(folder: Path, contents: FolderContents, *, key: str) -> None:
    """Refuses to replace a folder that this command did not write, or that holds more than that.

    Args:
        folder: What is about to be replaced.
        contents: What such a folder consists of.
        key: The setting that names the folder.

    Raises:
        ConfigError: The folder holds something else.
    """
    if folder.is_dir():
        foreign = contents.find_foreign(folder)
        is_ours = foreign is None and (folder / contents.mark).is_file()
        if is_ours or not any(folder.iterdir()):
            return
        reason = f"no {contents.mark}" if foreign is None else str(foreign.relative_to(folder))
    elif os.path.lexists(folder):
        reason = "a file"
    else:
        return
    raise ConfigError(
        f"{key} is {folder}, which holds something else ({reason}) and would be replaced; choose a"
        " new or empty folder"
    )


@contextmanager
def write_directory_atomically(
    target: Path, contents: FolderContents = NOTHING, *, key: str = "the folder"
) -> Iterator[Path]:
    """Yields a new directory that replaces ``target`` if the block succeeds.

    Files already in ``target`` are not kept; after an error ``target`` is unchanged. If it is a
    link, the folder that it leads to is replaced.

    Args:
        target: The directory.
        contents: What such a directory consists of; nothing if it is always a new one.
        key: The setting that names it, for messages.

    Raises:
        ConfigError: There is something else in ``target``.
    """
    target = target.resolve()
    check_replaceable(target, contents, key=key)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.new-"))
    try:
        aside.chmod(0o755)
        yield aside
        for file in sorted(p for p in aside.rglob("*") if p.is_file()):
            sync_file(file)
        sync_directory(aside)
        check_replaceable(target, contents, key=key)  # it may have been put there meanwhile
        _exchange(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _exchange(aside: Path, target: Path) -> None:
    if not target.exists():
        aside.rename(target)
    else:
        old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old-"))
        target.rename(old / "old")
        aside.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    sync_directory(target.parent)


def discard_asides(folder: Path, names: re.Pattern[str]) -> None:
    """Removes what killed processes left of directories that they were writing atomically.

    A directory that was being replaced and is missing is put back. Nobody may be writing one.

    Args:
        folder: The parent of these directories.
        names: What all of a directory's name matches.
    """
    for path in folder.glob(".*"):
        found = _ASIDE.fullmatch(path.name)
        if not found or not names.fullmatch(found[1]):
            continue
        target, replaced = folder / found[1], path / "old"
        if not target.exists() and replaced.is_dir():
            replaced.rename(target)
        shutil.rmtree(path, ignore_errors=True)


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
