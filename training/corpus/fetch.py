"""Fetches the archives of a lock file: found by ``unearth``, accepted by hash, kept in a cache.

No package's code runs: nothing is built, installed or unpacked. Where to look is pip's business:
its environment variables and configuration files are read, else unearth's own default holds.
"""

import configparser
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from unearth import PackageFinder

from training.artifact.errors import CorpusError

_LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?P<hashes>(?:\s+--hash=\S+)+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One line of a lock: a version, and the hashes of the files that are it."""

    name: str
    version: str
    sha256: tuple[str, ...]


def read_lock(path: Path) -> list[Pin]:
    """Reads ``name==version --hash=sha256:...`` lines; ``#`` begins a comment.

    Raises:
        CorpusError: The file cannot be read, or a line is not pinned by hash.
    """
    try:
        lines = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"cannot read the lock {path}: {error}") from error
    pins = []
    for number, line in enumerate(lines, 1):
        content = line.partition("#")[0].strip() if line.lstrip().startswith("#") else line.strip()
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
    """Brings pinned archives into a cache folder named by hash."""

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
            if cached.is_file() and _sha256(cached.read_bytes()) == sha256:
                return cached
        return self._download(pin)

    def _download(self, pin: Pin) -> Path:
        if self._finder is None:
            indexes = package_indexes()
            self._finder = (
                PackageFinder(index_urls=indexes, ignore_compatibility=True)
                if indexes
                else PackageFinder(ignore_compatibility=True)
            )
        try:
            for package in self._finder.find_all_packages(pin.name, allow_yanked=True):
                digest = (package.link.hashes or {}).get("sha256", "")
                if digest not in pin.sha256:
                    continue
                response = self._finder.session.get(package.link.url_without_fragment)
                response.raise_for_status()
                return self._keep(pin, response.content)
        except CorpusError:
            raise
        except Exception as error:  # the network and the index may fail in any way
            raise CorpusError(
                f"cannot fetch {pin.name}=={pin.version} ({type(error).__name__}: {error});"
                " check the network and run again, what was fetched is kept"
            ) from error
        raise CorpusError(
            f"the package index has no file of {pin.name}=={pin.version} with the lock's hash;"
            " correct the lock"
        )

    def _keep(self, pin: Pin, data: bytes) -> Path:
        found = _sha256(data)
        if found not in pin.sha256:
            raise CorpusError(
                f"{pin.name}=={pin.version} arrived with SHA-256 {found[:12]}, the lock says"
                f" {pin.sha256[0][:12]}; do not use it"
            )
        self._cache.mkdir(parents=True, exist_ok=True)
        aside = self._cache / f".{found}.{os.getpid()}"
        aside.write_bytes(data)
        return aside.replace(self._cache / found)


def package_indexes() -> list[str]:
    """Returns the package indexes that pip is configured with; none means unearth's default."""
    configured = os.environ.get("PIP_INDEX_URL", "")
    for path in _pip_configs():
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue  # pip itself would complain; a broken file names no index
        configured = configured or parser.get("global", "index-url", fallback="")
    return configured.split()


def _pip_configs() -> list[Path]:
    home = Path.home()
    named = os.environ.get("PIP_CONFIG_FILE")
    return [
        *([Path(named)] if named else []),
        home / ".config" / "pip" / "pip.conf",
        home / ".pip" / "pip.conf",
        Path("/etc/pip.conf"),
    ]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
