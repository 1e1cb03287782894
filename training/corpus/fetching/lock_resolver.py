"""Pins a list of packages by version and hash.

For each package, the newest release that meets the list's rules is chosen: its sdist, else a
pure-Python wheel, else any wheel. The archive is downloaded into the corpus' cache and inspected: a
package is left out, with the reason, if its licence is not allowed or if it has hardly any Python
source. No package's code is executed. Called by ``python -m training.corpus.lock``.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from tqdm import tqdm
from unearth import Link, Package

from training.corpus.config import CorpusConfig
from training.corpus.fetching.lock_file import Pin, read_lock, write_lock
from training.corpus.fetching.package_index import FetchError, PackageIndex, remove_stale, retry
from training.corpus.readers.archives.archive_reader import read_archive
from training.corpus.readers.package_metadata import MetadataSearch
from training.corpus.readers.package_names import NamedPackages
from training.corpus.readers.source_file import FileSelection
from training.foundation.errors import CorpusError
from training.foundation.progress import progress_bar
from training.licensing.licences import find_disallowed

MAX_FILES_TRIED = 3  # of a release, until one is small enough


@dataclass(frozen=True, kw_only=True)
class PackageList:
    """The packages to lock; an entry ``NAME==VERSION`` fixes the version."""

    packages: dict[str, tuple[str, ...]]  # by kind
    python: str = "3.11"  # which releases must support
    max_age_days: int = 730  # of the newest release
    max_archive_bytes: int = 15_000_000
    large: tuple[str, ...] = ()  # packages allowed to be larger
    min_source_bytes: int = 10_000

    def __post_init__(self) -> None:
        names = [_normalize(entry) for _, entry in self.entries()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"packages names {', '.join(twice)} more than once; keep one")

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yields the kind and the entry of each package."""
        for kind, entries in self.packages.items():
            yield from ((kind, entry) for entry in entries)


class LeftOutError(CorpusError):
    """A package that does not meet the list's rules."""


@dataclass(frozen=True, kw_only=True)
class LockUpdate:
    """The result of an update: the number of pins, and the reason for each package left out."""

    n_packages: int
    left_out: Mapping[str, str]


def update_lock(
    lock: Path, wanted: PackageList, config: CorpusConfig, *, upgrade: bool
) -> LockUpdate:
    """Adds missing packages to a lock and removes unlisted ones.

    Args:
        lock: The lock, which need not exist; it is written after each package.
        wanted: The packages to pin.
        config: Sets the cache and the allowed licences.
        upgrade: Whether to look up every package without a fixed version again; one whose fixed
            version has changed is looked up in any case.

    Raises:
        FetchError: An index cannot be reached.
    """
    entries = {_normalize(entry): (kind, entry) for kind, entry in wanted.entries()}
    old = {_normalize(pin.name): pin for pin in read_lock(lock)} if lock.exists() else {}
    # Those that are not looked up yet keep their pins, so that an interruption loses none.
    waiting = {name: (pin, entries[name][0]) for name, pin in old.items() if name in entries}
    pins = {
        name: (pin, kind)
        for name, (pin, kind) in waiting.items()
        if _is_kept(pin, entries[name][1], upgrade=upgrade)
    }
    left_out = {}
    remove_stale(config.cache)
    with (
        closing(PackageIndex.open()) as index,
        progress_bar(len(entries), "lock", "package", initial=len(pins)) as bar,
    ):
        resolver = LockResolver(wanted=wanted, config=config, index=index)
        for name, (kind, entry) in entries.items():
            if name in pins:
                continue
            try:
                pins[name] = (resolver.resolve(entry), kind)
                write_lock(lock, waiting | pins)
            except LeftOutError as error:
                left_out[entry] = str(error)
                waiting.pop(name, None)
                tqdm.write(f"left out: {entry}: {error}", file=sys.stderr)
            bar.update()
    write_lock(lock, pins)
    return LockUpdate(n_packages=len(pins), left_out=left_out)


@dataclass(kw_only=True)
class LockResolver:
    """Finds the archive to pin for a package."""

    wanted: PackageList
    config: CorpusConfig
    index: PackageIndex

    def resolve(self, entry: str) -> Pin:
        """Returns the pin for an entry of the list, with its archive in the cache.

        Raises:
            LeftOutError: The package does not meet a rule.
            FetchError: An index cannot be reached.
        """
        name, _, version = entry.partition("==")
        try:
            files = retry(name, partial(self.index.list_files, name))
        except FetchError as error:
            if error.is_final:
                raise LeftOutError(error.reason) from error
            raise
        release = self._find_newest(files, version)
        for link in sorted((f.link for f in release[1]), key=_rank_file)[:MAX_FILES_TRIED]:
            pin = retry(name, partial(self._fetch, name, str(release[0]), link))
            if pin is not None:
                self._check(pin)
                return pin
        raise LeftOutError(
            f"larger than {self.wanted.max_archive_bytes / 1e6:g} MB; add it to 'large' to keep it"
        )

    def _find_newest(self, files: Sequence[Package], version: str) -> tuple[Version, list[Package]]:
        """Returns the newest release that meets the rules, and its files."""
        releases: dict[Version, list[Package]] = {}
        for file in files:
            found = _parse_version(file.version)
            if found is None or (version and not _is_version(str(found), version)):
                continue
            is_wanted = version or not (found.is_prerelease or file.link.is_yanked)
            if is_wanted and (version or _runs_on(file.link, self.wanted.python)):
                releases.setdefault(found, []).append(file)
        if not releases:
            raise LeftOutError(f"no release {version or 'for Python ' + self.wanted.python}")
        newest = max(releases)
        times = [f.link.upload_time for f in releases[newest] if f.link.upload_time]
        oldest = datetime.now(UTC) - timedelta(days=self.wanted.max_age_days)
        if times and max(times) < oldest and not version:
            raise LeftOutError(f"no release since {max(times):%Y-%m}")
        return newest, releases[newest]

    def _fetch(self, name: str, version: str, link: Link) -> Pin | None:
        """Downloads a file into the cache and returns its pin; None if it is too large."""
        is_large = _normalize(name) in map(_normalize, self.wanted.large)
        limit = self.config.archive_limits.max_total_bytes
        limit = limit if is_large else self.wanted.max_archive_bytes
        stated = (link.hash_option or {}).get("sha256", [""])[0]
        if stated and (self.config.cache / stated).is_file():
            return Pin(name=name, version=version, sha256=(stated,))
        found = self.index.download(link, self.config.cache, max_bytes=limit)
        if found is None:
            return None
        if stated and found.sha256 != stated:
            found.path.unlink()
            raise FetchError(
                name, "its SHA-256 differs from the index's", "run the same command again"
            )
        found.path.chmod(0o644)
        found.path.replace(self.config.cache / found.sha256)
        return Pin(name=name, version=version, sha256=(found.sha256,))

    def _check(self, pin: Pin) -> None:
        """Checks the archive's licence and how much Python source it has.

        Raises:
            LeftOutError: The licence is not allowed, there is hardly any source, or the archive is
                damaged or beyond the limits.
        """
        search, n_bytes = MetadataSearch(), 0
        path = self.config.cache / pin.sha256[0]
        selection = FileSelection(max_bytes=self.config.filters.max_bytes)
        try:
            for file in read_archive(path, self.config.archive_limits, selection):
                if file.path.endswith(".py"):
                    n_bytes += len(file.data)
                else:
                    search.add(file)
        except CorpusError as error:
            raise LeftOutError(str(error)) from error
        override = NamedPackages(self.config.licence_overrides).find(pin.name)
        licence = self.config.licence_overrides.get(override or "", search.result().licence)
        if find_disallowed(licence, frozenset(self.config.licences)):
            raise LeftOutError(f"licence {licence!r}")
        if n_bytes < self.wanted.min_source_bytes:
            raise LeftOutError(f"only {n_bytes} bytes of Python")


def _rank_file(link: Link) -> tuple[int, str]:
    """Orders a release's files: sdists, pure-Python wheels, other wheels."""
    if not link.is_wheel:
        return (0 if link.filename.endswith(".tar.gz") else 1), link.filename
    return (2 if link.filename.endswith("-none-any.whl") else 3), link.filename


def _parse_version(text: str | None) -> Version | None:
    try:
        return Version(text or "")
    except InvalidVersion:
        return None


def _is_kept(pin: Pin, entry: str, *, upgrade: bool) -> bool:
    """Returns whether a pin stays as it is."""
    version = entry.partition("==")[2]
    return _is_version(pin.version, version) if version else not upgrade


def _is_version(found: str, wanted: str) -> bool:
    """Returns whether two texts are the same version: ``1.0`` is ``1.0.0``."""
    return found == wanted or _parse_version(found) == _parse_version(wanted) is not None


def _runs_on(link: Link, python: str) -> bool:
    try:
        return SpecifierSet(link.requires_python or "").contains(python)
    except InvalidSpecifier:
        return True


def map_kinds(packages: PackageList) -> Mapping[str, str]:
    """Returns each package's kind by its normalized name."""
    return {_normalize(entry): kind for kind, entry in packages.entries()}


def _normalize(entry: str) -> str:
    return str(canonicalize_name(entry.partition("==")[0]))
