"""One writer per folder: a command locks the folder it writes, and a second command is refused.

The lock belongs to the open file, so the operating system releases it however the process ends, and
``kill -9`` leaves no stale lock. The file records its owner for the other process's message. It is
in the folder, or beside it (``beside=True``) if the folder itself is replaced, as with
:func:`~training.foundation.atomic_files.write_directory_atomically`.

If several processes write one folder together (``accelerate launch``), the main one locks it.
"""

import json
import os
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from training.foundation.errors import PrerequisiteError
from training.foundation.foreign_text import parse_json

LOCK_FILE = ".lock"
_RECORD_WAIT_S = 0.1  # the owner takes a moment to write its record after locking
_MAX_RECORD_BYTES = 4096
# A link in a folder from elsewhere must not lead to a file of the user's, nor a pipe wait.
_NO_OTHER_FILE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)

if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 1 << 30  # past the record, which must stay readable

    def _try_lock(handle: int) -> None:
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError from error
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
else:
    import fcntl

    def _try_lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FolderInUseError(PrerequisiteError):
    """Another process is writing to the folder."""


@contextmanager
def folder_lock(folder: Path, *, beside: bool = False) -> Iterator[None]:
    """Locks ``folder`` for this process until the block ends.

    Args:
        folder: What will be written; created if the lock is in it.
        beside: Put the lock beside the folder, because the folder itself will be replaced.

    Raises:
        FolderInUseError: Another process, or another part of this one, holds it.
        PrerequisiteError: The lock file cannot be written.
    """
    path = lock_path(folder, beside=beside)
    handle = _acquire(path, folder)
    try:
        yield
    finally:
        with suppress(OSError):  # Windows cannot remove an open file; the lock is released anyway
            path.unlink()
        os.close(handle)


def lock_path(folder: Path, *, beside: bool = False) -> Path:
    """Returns the path of a folder's lock file."""
    folder = folder.resolve()
    return folder.parent / f".{folder.name}{LOCK_FILE}" if beside else folder / LOCK_FILE


def _acquire(path: Path, folder: Path) -> int:
    while True:
        handle = _open(path)
        try:
            if _lock(handle, path, folder) and _is_same_file(handle, path):
                _write_record(handle)
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its owner has just removed it: try again with a new file


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | _NO_OTHER_FILE, 0o644)
    except OSError as error:
        raise PrerequisiteError(
            f"cannot write {path} ({error.strerror}); choose a folder that you may write to"
        ) from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(handle)
        raise PrerequisiteError(f"{path} is not a lock file of ours; remove it")
    return handle


def _lock(handle: int, path: Path, folder: Path) -> bool:
    """Locks an open file; if the file system has no locks, warns and continues."""
    try:
        _try_lock(handle)
    except BlockingIOError:
        time.sleep(_RECORD_WAIT_S)
        if not _is_same_file(handle, path):
            return False
        raise FolderInUseError(
            f"{folder} is in use: {_owner(handle)} is writing to it; wait for it to finish, stop"
            " it, or choose another folder"
        ) from None
    except OSError as error:
        sys.stderr.write(
            f"warning: the file system of {folder} has no locks ({error.strerror}); make sure that"
            " no second command writes to this folder\n"
        )
    return True


def _is_same_file(handle: int, path: Path) -> bool:
    """Says whether ``path`` still names the open file."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def _write_record(handle: int) -> None:
    record = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
    }
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, json.dumps(record).encode())


def _owner(handle: int) -> str:
    """Returns a description of the process that wrote the record."""
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        record = parse_json(os.read(handle, _MAX_RECORD_BYTES))
        return f"process {record['pid']} on {record['host']}, started {record['since']},"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
