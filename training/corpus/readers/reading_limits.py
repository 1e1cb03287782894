"""The limits within which foreign files are read, and the one way in which reading them fails.

Archives and files of records may unpack to so many members and bytes, and take so many seconds.
Whatever a library says about damaged bytes becomes one sentence that names the file. Called by
:mod:`training.corpus.readers.archives` and :mod:`training.corpus.readers.records`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.corpus.config import ArchiveLimits
from training.foundation.errors import CorpusError, ParrotletError, describe_os_error
from training.foundation.foreign_text import LFS_POINTER_HEAD, path_text, replace_surrogates

MAX_REASON_CHARS = 200
SPARE_ARCHIVE_BYTES = 1 << 20  # that any archive may unpack to
SPARE_RECORDS_BYTES = 64 << 20  # the same for records


class BeyondLimitsError(CorpusError):
    """A source that unpacks to more than source code plausibly would."""


class ReadingBudget:
    """Counts the members and bytes that a file has unpacked to so far.

    Args:
        path: The file, for messages.
        limits: The limits.
        max_bytes: What it may unpack to.
    """

    def __init__(self, path: Path | str, limits: ArchiveLimits, max_bytes: int) -> None:
        self._path = path_text(path)
        self._limits = limits
        self._members = 0
        self._bytes = 0
        self._max_bytes = max_bytes
        self._deadline = time.monotonic() + limits.max_seconds

    def add_member(self, n_bytes: int = 0) -> None:
        """Counts a member and the bytes it unpacks to.

        Raises:
            BeyondLimitsError: There are too many.
            CorpusError: Reading took too long.
        """
        self._members += 1
        self.add_bytes(n_bytes)
        if time.monotonic() > self._deadline:
            raise CorpusError(
                f"{self._path} takes more than {self._limits.max_seconds:g} s to unpack; remove it"
                " from the sources or raise archive_limits.max_seconds"
            )

    def add_bytes(self, n_bytes: int) -> None:
        """Counts unpacked bytes.

        Raises:
            BeyondLimitsError: There are too many.
        """
        self._bytes += n_bytes
        if self._members > self._limits.max_members or self._bytes > self._max_bytes:
            members = f"{self._members} members, " if self._members else ""
            raise BeyondLimitsError(
                f"{self._path} unpacks to more than source code would ({members}{self._bytes}"
                " bytes); remove it from the sources or raise archive_limits"
            )


def open_archive_budget(path: Path, limits: ArchiveLimits) -> ReadingBudget:
    """Returns what an archive may unpack to."""
    by_size = int(path.stat().st_size * limits.max_ratio) + SPARE_ARCHIVE_BYTES
    return ReadingBudget(path, limits, min(limits.max_total_bytes, by_size))


def open_records_budget(path: Path | str, n_bytes: int, limits: ArchiveLimits) -> ReadingBudget:
    """Returns what a file of records of so many bytes may unpack to; they are streamed."""
    return ReadingBudget(path, limits, int(n_bytes * limits.max_ratio) + SPARE_RECORDS_BYTES)


@contextmanager
def report_damage(path: Path | str, what: str, advice: str) -> Iterator[None]:
    """Turns whatever reading a foreign file raises into one sentence that names the file.

    Args:
        path: The file.
        what: What is wrong with it, such as "is damaged".
        advice: What to do.

    Raises:
        CorpusError: Something else than an expected error was raised.
    """
    try:
        yield
    except ParrotletError:
        raise
    except MemoryError as error:
        raise CorpusError(f"{path_text(path)} needs more memory than there is; {advice}") from error
    except Exception as error:  # libraries raise anything on damaged bytes
        raise CorpusError(f"{path_text(path)} {what} ({_explain(error)}); {advice}") from error


def check_file(path: Path, advice: str) -> None:
    """Refuses what is not a regular file, and pointers of Git LFS in the place of a file.

    Raises:
        CorpusError: It is.
    """
    if not path.is_file():
        raise CorpusError(f"{path_text(path)} is not a regular file; {advice}")
    with report_damage(path, "cannot be read", advice), path.open("rb") as file:
        if file.read(len(LFS_POINTER_HEAD)) == LFS_POINTER_HEAD:
            raise CorpusError(
                f"{path_text(path)} is a pointer of Git LFS, not the file itself; run git lfs pull"
                " in its repository"
            )


def _explain(error: Exception) -> str:
    """Returns the first line of an exception's message, or its type's name."""
    if isinstance(error, OSError) and error.strerror:
        return describe_os_error(error).partition(";")[0]
    lines = replace_surrogates(str(error)).strip().splitlines()
    return lines[0][:MAX_REASON_CHARS].rstrip(".;: ") if lines else type(error).__name__
