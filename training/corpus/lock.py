"""``parrotlet lock-corpus PACKAGES.toml CONFIG.toml``: pins a list of packages by version and hash.

The list names packages by kind and says how they were chosen. Of each the newest release that the
list's rules admit is taken: an sdist, else a wheel of Python alone, else any wheel. It is fetched
into the corpus' cache and looked into: a package under a licence that the config does not allow, or
without Python source, is left out, with the reason. The lock is written after every package, so a
run that was stopped goes on. Packages that the lock has stay as they are unless ``--upgrade`` is
given; no package's code is run.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from training.artifact.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from tqdm import tqdm
from unearth import Link, Package

from training.artifact.errors import ConfigError, CorpusError, run_main
from training.artifact.files import write_text_atomically
from training.artifact.program import program_name
from training.artifact.schema import load_toml
from training.corpus.archives import LICENCE_FILE, METADATA, read_members
from training.corpus.config import CorpusConfig
from training.corpus.downloads import FetchError, Index, remove_stale, retried
from training.corpus.fetch import Pin, read_lock
from training.corpus.licences import disallowed
from training.corpus.reading import MetadataSearch
from training.progress import progress_bar

FILES_TRIED = 3  # of a release: an sdist, then wheels, until one is small enough


@dataclass(frozen=True, kw_only=True)
class PackageList:
    """Which packages a lock is to have; ``NAME==VERSION`` asks for one version."""

    packages: dict[str, tuple[str, ...]]  # by kind
    python: str = "3.11"  # releases must run on it
    max_age_days: int = 730  # of the newest release
    max_archive_bytes: int = 15_000_000
    large: tuple[str, ...] = ()  # packages worth more bytes than that
    min_source_bytes: int = 10_000

    def __post_init__(self) -> None:
        names = [_name(entry) for _, entry in self.entries()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"packages names {', '.join(twice)} more than once; keep one")

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yields kind and entry of each package."""
        for kind, entries in self.packages.items():
            yield from ((kind, entry) for entry in entries)


class LeftOutError(CorpusError):
    """A package that breaks one of the list's rules."""


def main(argv: Sequence[str]) -> int:
    """Brings the config's lock up to the list."""
    arguments = _parser().parse_args(argv)
    wanted = load_toml(PackageList, arguments.packages)
    config = load_toml(CorpusConfig, arguments.config)
    if config.sources.lock is None:
        raise ConfigError(f"{arguments.config} names no sources.lock to write; add it")
    lock = _Lock(path=config.sources.lock)
    lock.read()
    left_out = bring_up_to_date(lock, wanted, config, upgrade=arguments.upgrade)
    for name, reason in left_out.items():
        sys.stdout.write(f"left out: {name}: {reason}\n")
    sys.stdout.write(f"{lock.path}: {len(lock.pins)} packages\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program_name("training.corpus.lock"),
        description="Pin the packages of a corpus: resolve a list of names to versions and hashes.",
        epilog="Example: parrotlet lock-corpus training/configs/corpus-wide-packages.toml"
        " training/configs/corpus-wide.toml",
    )
    parser.add_argument(
        "packages", type=Path, metavar="PACKAGES.toml", help="the list of packages, by kind"
    )
    parser.add_argument(
        "config",
        type=Path,
        metavar="CONFIG.toml",
        help="the corpus config: its lock is written, its licences decide",
    )
    parser.add_argument(
        "--upgrade",
        action="store_true",
        help="look for newer releases of packages that the lock has already",
    )
    return parser


@dataclass(kw_only=True)
class _Lock:
    path: Path
    pins: dict[str, tuple[Pin, str]] = field(default_factory=dict)  # by normalised name, with kind

    def read(self) -> None:
        """Takes over what the file has; the kinds come from the list."""
        if self.path.exists():
            self.pins = {canonicalize_name(p.name): (p, "") for p in read_lock(self.path)}

    def write(self) -> None:
        lines = [
            f"{pin} {' '.join(f'--hash=sha256:{h}' for h in pin.sha256)}  # {kind}\n"
            for _, (pin, kind) in sorted(self.pins.items())
        ]
        write_text_atomically(self.path, "".join(lines))


def bring_up_to_date(
    lock: _Lock, wanted: PackageList, config: CorpusConfig, *, upgrade: bool
) -> dict[str, str]:
    """Adds what the lock lacks, removes what the list does not name; returns what was left out.

    Args:
        lock: What is pinned so far; written along the way.
        wanted: What is to be pinned.
        config: Whose cache and licences hold.
        upgrade: Pin anew what the list names without a version.

    Raises:
        FetchError: An index cannot be reached.
    """
    entries = {_name(entry): (kind, entry) for kind, entry in wanted.entries()}
    lock.pins = {
        name: (pin, entries[name][0])
        for name, (pin, _) in lock.pins.items()
        if name in entries and not (upgrade and "==" not in entries[name][1])
    }
    left_out = {}
    remove_stale(config.cache)
    resolver = Resolver(wanted=wanted, config=config, index=Index.of_settings())
    with progress_bar(len(entries), "lock", "package", initial=len(lock.pins)) as bar:
        for name, (kind, entry) in entries.items():
            if name in lock.pins:
                continue
            try:
                lock.pins[name] = (resolver.resolve(entry), kind)
                lock.write()
            except LeftOutError as error:
                left_out[entry] = str(error)
                tqdm.write(f"left out: {entry}: {error}", file=sys.stderr)
            bar.update()
    lock.write()
    return left_out


@dataclass(kw_only=True)
class Resolver:
    """Finds the file of a package that a lock should name."""

    wanted: PackageList
    config: CorpusConfig
    index: Index

    def resolve(self, entry: str) -> Pin:
        """Returns the pin of an entry of the list; its archive is then in the cache.

        Raises:
            LeftOutError: It breaks a rule.
            FetchError: An index cannot be reached.
        """
        name, _, version = entry.partition("==")
        try:
            files = retried(name, partial(self.index.files, name))
        except FetchError as error:
            if error.is_final:
                raise LeftOutError(error.reason) from error
            raise
        release = self._newest(files, version)
        for link in sorted((f.link for f in release[1]), key=_preference)[:FILES_TRIED]:
            pin = retried(name, partial(self._fetch, name, str(release[0]), link))
            if pin is not None:
                self._check(pin)
                return pin
        raise LeftOutError(f"over {self.wanted.max_archive_bytes / 1e6:.0f} MB; see 'large'")

    def _newest(self, files: Sequence[Package], version: str) -> tuple[Version, list[Package]]:
        """Returns the newest release that the rules admit, and its files."""
        releases: dict[Version, list[Package]] = {}
        for file in files:
            found = _version(file.version)
            if found is None or (version and str(found) != version):
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
        """Returns the pin of a file, now in the cache; None if it is too large."""
        is_large = _name(name) in map(_name, self.wanted.large)
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
            raise FetchError(name, "it arrived with another SHA-256 than the index says", "retry")
        found.path.chmod(0o644)
        found.path.replace(self.config.cache / found.sha256)
        return Pin(name=name, version=version, sha256=(found.sha256,))

    def _check(self, pin: Pin) -> None:
        """Looks into the archive: its licence, and how much Python is in it."""
        search, n_bytes = MetadataSearch(), 0
        path = self.config.cache / pin.sha256[0]
        limits = self.config.archive_limits
        for member in read_members(path, limits, self.config.filters.max_bytes):
            if member.path.endswith(".py"):
                n_bytes += len(member.data)
            elif METADATA.search(member.path) or LICENCE_FILE.search(member.path):
                search.offer(member)
        licence = self.config.licence_overrides.get(_name(pin.name), search.metadata().licence)
        if disallowed(licence, frozenset(self.config.licences)):
            raise LeftOutError(f"licence {licence!r}")
        if n_bytes < self.wanted.min_source_bytes:
            raise LeftOutError(f"{n_bytes} bytes of Python")


def _preference(link: Link) -> tuple[int, str]:
    """Sorts a release's files: sdists, wheels of Python alone, other wheels."""
    if not link.is_wheel:
        return (0 if link.filename.endswith(".tar.gz") else 1), link.filename
    return (2 if link.filename.endswith("-none-any.whl") else 3), link.filename


def _version(text: str | None) -> Version | None:
    try:
        return Version(text or "")
    except InvalidVersion:
        return None


def _runs_on(link: Link, python: str) -> bool:
    try:
        return SpecifierSet(link.requires_python or "").contains(python)
    except InvalidSpecifier:
        return True


def kinds_of(packages: PackageList) -> Mapping[str, str]:
    """Returns each package's kind by its normalised name."""
    return {_name(entry): kind for kind, entry in packages.entries()}


def _name(entry: str) -> str:
    return str(canonicalize_name(entry.partition("==")[0]))


if __name__ == "__main__":
    sys.exit(run_main(main))
