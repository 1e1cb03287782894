"""Fetches the archives of a lock file: found by ``unearth``, accepted by hash, kept in a cache.

No package's code runs: nothing is built, installed or unpacked. Where to look is pip's business
(:mod:`training.corpus.indexes`). Called by :mod:`training.corpus.sources`.
"""

import hashlib
import os
import re
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version
from unearth import Link, PackageFinder
from unearth.auth import MultiDomainBasicAuth
from unearth.fetchers.sync import PyPIClient

from training.artifact.errors import CorpusError
from training.artifact.files import file_sha256
from training.corpus.indexes import IndexSettings, index_settings

_LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?P<hashes>(?:\s+--hash=\S+)+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})(?=\s|$)")
_COMMENT = re.compile(r"(?:^|\s)#.*")
ATTEMPTS = 3
PIECE_BYTES = 1 << 20
MAX_ARCHIVE_BYTES = 2 << 30


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
                f"{path}, line {number}: wanted NAME==VERSION --hash=sha256:HEX, found {content!r}"
            )
        pins.append(Pin(name=match["name"], version=match["version"], sha256=hashes))
    return pins


class Fetcher:
    """Brings pinned archives into a cache folder, each named by its hash."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._finder: PackageFinder | None = None

    def fetch(self, pin: Pin) -> Path:
        """Returns the archive of a pin, from the cache if it is there.

        Raises:
            CorpusError: No file with one of the pin's hashes can be had.
        """
        for sha256 in pin.sha256:
            cached = self._cache / sha256
            if cached.is_file() and file_sha256(cached) == sha256:
                return cached
        failure: Exception | None = None
        for _ in range(ATTEMPTS):
            try:
                return self._download(pin)
            except CorpusError:
                raise
            except Exception as error:  # noqa: BLE001 - the network may fail in any way
                failure = error
        raise CorpusError(
            f"cannot fetch {pin} ({type(failure).__name__}: {failure});"
            " check the network and run again, what was fetched is kept"
        ) from failure

    def _download(self, pin: Pin) -> Path:
        if self._finder is None:
            self._finder = _finder(index_settings())
        for link, is_claimed in _links(self._finder, pin):
            path = self._store(link, pin, is_claimed=is_claimed)
            if path is not None:
                return path
        raise CorpusError(
            f"the package index has no file of {pin} with the lock's hash; correct the lock"
        )

    def _store(self, link: Link, pin: Pin, *, is_claimed: bool) -> Path | None:
        """Downloads aside and takes the file in if its hash is the lock's."""
        self._cache.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._cache, prefix=".fetching-")
        aside = Path(name)
        try:
            digest = hashlib.sha256()
            with os.fdopen(handle, "wb") as file:
                for piece in self._pieces(link):
                    digest.update(piece)
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            found = digest.hexdigest()
            if found in pin.sha256:
                aside.chmod(0o644)
                return aside.replace(self._cache / found)
        finally:
            aside.unlink(missing_ok=True)
        if is_claimed:
            raise CorpusError(
                f"{pin} arrived with SHA-256 {found[:12]}, the lock says {pin.sha256[0][:12]};"
                " do not use it"
            )
        return None

    def _pieces(self, link: Link) -> Iterator[bytes]:
        assert self._finder is not None, "made before the first download"
        session = self._finder.session
        n_bytes = 0
        # identity: the bytes that were hashed, not what a server makes of them
        headers = {"Accept-Encoding": "identity"}
        with session.get_stream(link.url_without_fragment, headers=headers) as response:
            response.raise_for_status()
            for piece in response.iter_bytes(PIECE_BYTES):
                n_bytes += len(piece)
                if n_bytes > MAX_ARCHIVE_BYTES:
                    raise CorpusError(f"{link.filename} is over {MAX_ARCHIVE_BYTES} bytes; drop it")
                yield piece


def _links(finder: PackageFinder, pin: Pin) -> Iterator[tuple[Link, bool]]:
    """Yields the links worth a download, and whether the index claims that the hash is the pin's.

    Of files without a stated hash (a folder of archives) those of the pinned version are tried.
    """
    unclaimed = []
    for package in finder.find_all_packages(pin.name, allow_yanked=True):
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


def _finder(settings: IndexSettings) -> PackageFinder:
    default = PackageFinder().sources[0]["url"]
    indexes = (
        [] if settings.no_index else [settings.index_url or default, *settings.extra_index_urls]
    )
    verify = ssl.create_default_context(cafile=settings.cert) if settings.cert else True
    session = PyPIClient(
        trusted_hosts=settings.trusted_hosts,
        verify=verify,
        timeout=settings.timeout_s,
        follow_redirects=True,
    )
    session.auth = MultiDomainBasicAuth(prompting=False, index_urls=indexes)
    # unearth's own client, which its own protocol types more narrowly than it is
    finder = PackageFinder(session, ignore_compatibility=True)  # type: ignore[arg-type]
    finder.sources.clear()  # with --no-index there is no default either
    for url in indexes:
        finder.add_index_url(url)
    for url in settings.find_links:
        finder.add_find_links(url)
    return finder
