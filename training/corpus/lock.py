"""``parrotlet lock-corpus PACKAGES.toml CONFIG.toml``: pins a list of packages by version and hash.

The list names packages by kind and states how they were chosen. For each, the newest release that
meets the list's rules is taken: its sdist, or a pure-Python wheel, or any wheel. The archive is
downloaded into the corpus' cache and inspected: a package is left out, with the reason, if the
config does not allow its licence or if it has no Python source. The lock is written after every
package, so an interrupted run resumes. Packages in the lock stay as they are unless ``--upgrade``
is given. No package's code is run.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from tqdm import tqdm
from unearth import Link, Package

from training.corpus.config import CorpusConfig
from training.corpus.extraction.source_reader import MetadataSearch
from training.corpus.fetching.fetcher import Pin, read_lock
from training.corpus.fetching.package_index import FetchError, Index, remove_stale, retried
from training.corpus.licences import disallowed
from training.corpus.readers.archives import LICENCE_FILE, METADATA, read_members
from training.foundation.atomic_files import write_text_atomically
from training.foundation.command_parser import program_name
from training.foundation.config_schema import load_toml
from training.foundation.errors import ConfigError, CorpusError, run_main
from training.foundation.progress import progress_bar

FILES_TRIED = 3  # of a release, until one is small enough


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
        names = [_name(entry) for _, entry in self.entries()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"packages names {', '.join(twice)} more than once; keep one")

    def entries(self) -> Iterator[tuple[str, str]]:
        """Yields kind and entry of each package."""
        for kind, entries in self.packages.items():
            yield from ((kind, entry) for entry in entries)


class LeftOutError(CorpusError):
    """A package that does not meet the list's rules."""


def main(argv: Sequence[str]) -> int:
    """Updates the config's lock from the list."""
    arguments = _parser().parse_args(argv)
    wanted = load_toml(PackageList, arguments.packages)
    config = load_toml(CorpusConfig, arguments.config)
    if config.sources.lock is None:
        raise ConfigError(f"{arguments.config} has no sources.lock; set it to the file to write")
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
        help="the corpus config: names the lock to write and the allowed licences",
    )
    parser.add_argument(
        "--upgrade",
        action="store_true",
        help="look for newer releases of packages that are already locked",
    )
    return parser


@dataclass(kw_only=True)
class _Lock:
    path: Path
    pins: dict[str, tuple[Pin, str]] = field(default_factory=dict)  # by normalised name, with kind

    def read(self) -> None:
        """Reads the pins of an existing file; kinds come from the list."""
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
    """Adds missing packages, removes unlisted ones; returns what was left out, with reasons.

    Args:
        lock: The pins so far; saved after each package.
        wanted: The packages to pin.
        config: Sets the cache and the allowed licences.
        upgrade: Look up again every package without a fixed version.

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
    """Finds the file to pin for a package."""

    wanted: PackageList
    config: CorpusConfig
    index: Index

    def resolve(self, entry: str) -> Pin:
        """Returns the pin for an entry of the list, with its archive in the cache.

        Raises:
            LeftOutError: The package does not meet a rule.
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
        raise LeftOutError(
            f"larger than {self.wanted.max_archive_bytes / 1e6:g} MB; add it to 'large' to keep it"
        )

    def _newest(self, files: Sequence[Package], version: str) -> tuple[Version, list[Package]]:
        """Returns the newest release that meets the rules, and its files."""
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
        """Downloads a file into the cache and returns its pin; None if it is too large."""
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
            raise FetchError(
                name, "its SHA-256 differs from the index's", "run the same command again"
            )
        found.path.chmod(0o644)
        found.path.replace(self.config.cache / found.sha256)
        return Pin(name=name, version=version, sha256=(found.sha256,))

    def _check(self, pin: Pin) -> None:
        """Checks the archive's licence and how much Python source it has.

        Raises:
            LeftOutError: The licence is not allowed, or there is hardly any source.
        """
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
            raise LeftOutError(f"only {n_bytes} bytes of Python")


def _preference(link: Link) -> tuple[int, str]:
    """Orders a release's files: sdists, pure-Python wheels, other wheels."""
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
