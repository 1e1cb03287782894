"""Fetches the archives of a lock file into a cache; only archives with the locked hashes count.

No package's code is executed: nothing is built, installed or unpacked. The indexes are those of
pip's settings (:mod:`training.corpus.fetching.pip_config`). Cached archives are not fetched again,
so an interrupted run resumes. Called by :mod:`training.corpus.extraction.source_list`.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from packaging.version import InvalidVersion, Version
from unearth import Link

from training.corpus.fetching.lock_file import Pin
from training.corpus.fetching.package_index import (
    ADVISE_OTHER,
    FetchError,
    PackageIndex,
    remove_stale,
    retry,
)
from training.foundation.atomic_files import file_sha256
from training.foundation.errors import CorpusError
from training.foundation.progress import progress_bar

UNREACHABLE_IN_A_ROW = 3  # packages without a connection after which fetching stops
FAILURES_NAMED = 5


class ArchiveFetcher:
    """Fetches pinned archives into a cache folder, where each is named by its hash."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._index: PackageIndex | None = None

    def fetch_all(self, pins: Sequence[Pin]) -> list[Path]:
        """Returns the archives of all pins, with a progress bar.

        If one fails, the others are still fetched.

        Raises:
            CorpusError: Some cannot be fetched; the message names them.
        """
        remove_stale(self._cache)
        paths: list[Path] = []
        failures: list[FetchError] = []
        unreachable = 0
        with progress_bar(len(pins), "fetch", "archive") as bar, ExitStack() as at_end:
            at_end.callback(self._close)
            for pin in pins:
                bar.set_postfix_str(str(pin), refresh=False)
                try:
                    cached = self.find_cached(pin)
                    paths.append(cached or self.fetch(pin))
                    unreachable = unreachable if cached else 0
                except FetchError as error:
                    failures.append(error)
                    unreachable = unreachable + 1 if error.is_unreachable else 0
                    if unreachable == UNREACHABLE_IN_A_ROW:
                        break
                bar.update()
        if failures:
            tried = len(paths) + len(failures)
            raise _summarize(failures, n_left=len(pins) - tried, n_kept=len(paths))
        return paths

    def find_cached(self, pin: Pin) -> Path | None:
        """Returns the archive of a pin if the cache has it undamaged."""
        for sha256 in pin.sha256:
            path = self._cache / sha256
            if path.is_file() and file_sha256(path) == sha256:
                return path
        return None

    def fetch(self, pin: Pin) -> Path:
        """Returns the archive of a pin, from the cache if possible.

        Raises:
            FetchError: No file with one of the pin's hashes can be fetched.
        """
        return self.find_cached(pin) or retry(str(pin), lambda: self._download(pin))

    def _close(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None

    def _download(self, pin: Pin) -> Path:
        if self._index is None:
            self._index = PackageIndex.open()
        for link, is_stated in _find_links(self._index, pin):
            path = self._store(self._index, link, pin, is_stated=is_stated)
            if path is not None:
                return path
        raise FetchError(
            str(pin),
            "the package index has no file with the lock's hash",
            "correct the lock, or name another index in pip's settings",
            is_final=True,
        )

    def _store(self, index: PackageIndex, link: Link, pin: Pin, *, is_stated: bool) -> Path | None:
        """Downloads a file, and moves it into the cache if its hash is in the lock."""
        found = index.download(link, self._cache)
        if found is None:
            raise FetchError(str(pin), f"{link.filename} is too large", "correct the lock")
        if found.sha256 in pin.sha256:
            found.path.chmod(0o644)
            return found.path.replace(self._cache / found.sha256)
        found.path.unlink()
        if is_stated:
            raise FetchError(
                str(pin),
                f"its SHA-256 is {found.sha256[:12]}, the lock says {pin.sha256[0][:12]}",
                f"do not use it: {ADVISE_OTHER}",
            )
        return None


def _summarize(failures: Sequence[FetchError], *, n_left: int, n_kept: int) -> CorpusError:
    if len(failures) == 1 and not n_left:
        return failures[0]
    named = ", ".join(f"{f.what} ({f.reason})" for f in failures[:FAILURES_NAMED])
    n_unnamed = len(failures) - FAILURES_NAMED
    more = f" and {n_unnamed} more" if n_unnamed > 0 else ""
    left = f"; {n_left} others were not tried" if n_left else ""
    advice = "; ".join(dict.fromkeys(f.advice for f in failures))
    return CorpusError(
        f"cannot fetch {len(failures)} of {len(failures) + n_kept + n_left} archives:"
        f" {named}{more}{left}; {advice}"
    )


def _find_links(index: PackageIndex, pin: Pin) -> Iterator[tuple[Link, bool]]:
    """Yields the links to try, and whether the index states one of the pin's hashes for them.

    Files without a stated hash (a folder of archives) are tried if they are of the pinned version.
    """
    unstated = []
    for package in index.list_files(pin.name):
        stated = (package.link.hash_option or {}).get("sha256")
        if stated and stated[0] in pin.sha256:
            yield package.link, True
        elif not stated and _is_same_version(package.version, pin.version):
            unstated.append(package.link)
    for link in unstated:
        yield link, False


def _is_same_version(found: str | None, wanted: str) -> bool:
    try:
        return found is not None and Version(found).public == Version(wanted).public
    except InvalidVersion:
        return found == wanted
