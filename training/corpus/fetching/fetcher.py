"""Fetches the archives of a lock file into a cache; only the locked hashes are accepted.

No package's code runs: nothing is built, installed or unpacked. The indexes are those of pip's
settings (:mod:`training.corpus.fetching.pip_config`). Archives in the cache are not fetched again,
so an interrupted run resumes. Called by :mod:`training.corpus.readers.sources`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version
from unearth import Link

from training.corpus.fetching.package_index import (
    ADVISE_OTHER,
    FetchError,
    Index,
    remove_stale,
    retried,
)
from training.foundation.atomic_files import file_sha256
from training.foundation.errors import CorpusError
from training.foundation.progress import progress_bar

_LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?P<hashes>(?:\s+--hash=\S+)+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})(?=\s|$)")
_COMMENT = re.compile(r"(?:^|\s)#.*")
UNREACHABLE_IN_A_ROW = 3  # packages without a connection, after which fetching stops
FAILURES_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One line of a lock: a version, and the hashes of the files that are it."""

    name: str
    version: str
    sha256: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def read_lock(path: Path) -> list[Pin]:
    """Reads ``name==version --hash=sha256:...`` lines; ``#`` begins a comment.

    Raises:
        CorpusError: The file cannot be read, or a line is not pinned by hash.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"cannot read the lock {path}: {error}") from error
    pins = []
    carried = ""
    for number, line in enumerate(lines, 1):
        content = carried + _COMMENT.sub("", line).strip()
        carried = ""
        if content.endswith("\\"):
            carried = content[:-1].rstrip() + " "
            continue
        if not content:
            continue
        match = _LINE.fullmatch(content)
        hashes = tuple(_HASH.findall(content))
        if match is None or not hashes:
            raise CorpusError(
                f"{path}, line {number}: found {content!r}, expected NAME==VERSION"
                " --hash=sha256:HEX"
            )
        pins.append(Pin(name=match["name"], version=match["version"], sha256=hashes))
    return pins


class Fetcher:
    """Brings pinned archives into a cache folder, each named by its hash."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._index: Index | None = None

    def fetch_all(self, pins: Sequence[Pin]) -> list[Path]:
        """Returns the archives of all pins, with a progress bar.

        If one fails, the others are fetched all the same.

        Raises:
            CorpusError: Some cannot be fetched; one sentence names them.
        """
        remove_stale(self._cache)
        paths: list[Path] = []
        failures: list[FetchError] = []
        unreachable = 0
        with progress_bar(len(pins), "fetch", "archive") as bar:
            for pin in pins:
                bar.set_postfix_str(str(pin), refresh=False)
                try:
                    cached = self.cached(pin)
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
            raise _summary(failures, n_left=len(pins) - tried, n_kept=len(paths))
        return paths

    def cached(self, pin: Pin) -> Path | None:
        """Returns the archive of a pin if the cache has it, undamaged."""
        for sha256 in pin.sha256:
            path = self._cache / sha256
            if path.is_file() and file_sha256(path) == sha256:
                return path
        return None

    def fetch(self, pin: Pin) -> Path:
        """Returns the archive of a pin, from the cache if it is there.

        Raises:
            FetchError: No file with one of the pin's hashes can be fetched.
        """
        return self.cached(pin) or retried(str(pin), lambda: self._download(pin))

    def _download(self, pin: Pin) -> Path:
        if self._index is None:
            self._index = Index.of_settings()
        for link, is_claimed in _links(self._index, pin):
            path = self._store(self._index, link, pin, is_claimed=is_claimed)
            if path is not None:
                return path
        raise FetchError(
            str(pin),
            "the package index has no file with the lock's hash",
            "correct the lock, or name another index in pip's settings",
            is_final=True,
        )

    def _store(self, index: Index, link: Link, pin: Pin, *, is_claimed: bool) -> Path | None:
        """Downloads aside and takes the file in if its hash is the lock's."""
        found = index.download(link, self._cache)
        if found is None:
            raise FetchError(str(pin), f"{link.filename} is too large", "correct the lock")
        if found.sha256 in pin.sha256:
            found.path.chmod(0o644)
            return found.path.replace(self._cache / found.sha256)
        found.path.unlink()
        if is_claimed:
            raise FetchError(
                str(pin),
                f"it arrived with SHA-256 {found.sha256[:12]}, the lock says {pin.sha256[0][:12]}",
                f"do not use it: {ADVISE_OTHER}",
            )
        return None


def _summary(failures: Sequence[FetchError], *, n_left: int, n_kept: int) -> CorpusError:
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


def _links(index: Index, pin: Pin) -> Iterator[tuple[Link, bool]]:
    """Yields the links worth a download, and whether the index claims that the hash is the pin's.

    Of files without a stated hash (a folder of archives) those of the pinned version are tried.
    """
    unclaimed = []
    for package in index.files(pin.name):
        stated = (package.link.hash_option or {}).get("sha256")
        if stated and stated[0] in pin.sha256:
            yield package.link, True
        elif not stated and _is_version(package.version, pin.version):
            unclaimed.append(package.link)
    for link in unclaimed:
        yield link, False


def _is_version(found: str | None, wanted: str) -> bool:
    try:
        return found is not None and Version(found).public == Version(wanted).public
    except InvalidVersion:
        return found == wanted
