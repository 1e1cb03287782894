"""Where documents come from: folders, archives, the lock, the standard library.

A source is listed first and read later, by whichever process takes it; reading gives a
:class:`Package` with its filtered documents and the counts of what was dropped.
"""

import os
import platform
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from training.artifact.errors import CorpusError
from training.corpus.archives import LICENCE_FILE, METADATA, read_members
from training.corpus.config import CorpusConfig
from training.corpus.document import Document, Package
from training.corpus.fetch import Fetcher, read_lock
from training.corpus.filters import decode, path_reason, text_reason
from training.corpus.licences import UNKNOWN, Metadata, read_metadata

STDLIB_NAME = "cpython-stdlib"
STDLIB_LICENCE = "PSF-2.0"
SKIPPED_FOLDERS = {"site-packages", "dist-packages", "__pycache__", "node_modules", ".git", ".venv"}


@dataclass(frozen=True, kw_only=True)
class Source:
    """One package to read; ``metadata`` is None if the archive itself tells it.

    ``name`` is normalised, so that packages sort and compare alike however they are spelled.
    """

    name: str
    path: Path
    metadata: Metadata | None = None
    part: str = ""  # of a folder: the file or folder in it to take; empty for all of it


def list_sources(config: CorpusConfig) -> list[Source]:
    """Lists every source of the config, fetching the lock's archives first.

    Raises:
        CorpusError: Something named in the config is not there.
    """
    sources = [_folder(f, config.sources.folder_licence) for f in config.sources.folders]
    for archive in config.sources.archives:
        if not archive.is_file():
            raise CorpusError(f"the archive {archive} does not exist; correct sources.archives")
        name = canonicalize_name(archive.name.partition("-")[0])
        sources.append(Source(name=name, path=archive))
    if config.sources.lock is not None:
        fetcher = Fetcher(config.cache)
        sources += [
            Source(name=canonicalize_name(pin.name), path=fetcher.fetch(pin))
            for pin in read_lock(config.sources.lock)
        ]
    sources += [_stdlib(part) for part in config.sources.stdlib]
    if not sources:
        raise CorpusError("the config names no sources; add sources.folders, lock or stdlib")
    return sorted(sources, key=lambda source: source.name)


def _folder(folder: Path, licence: str | None) -> Source:
    if not folder.is_dir():
        raise CorpusError(f"the source folder {folder} does not exist; correct sources.folders")
    name = canonicalize_name(folder.resolve().name)
    metadata = Metadata(name=name, version="", licence=licence or UNKNOWN, source="config")
    return Source(name=name, path=folder, metadata=metadata)


def _stdlib(part: str) -> Source:
    whole = part == "."
    name = STDLIB_NAME if whole else f"{STDLIB_NAME}-{canonicalize_name(part)}"
    metadata = Metadata(
        name=name,
        version=platform.python_version(),
        licence=STDLIB_LICENCE,
        source="the interpreter",
    )
    folder = Path(sysconfig.get_path("stdlib"))
    return Source(name=name, path=folder, metadata=metadata, part="" if whole else part)


def read_source(source: Source, config: CorpusConfig) -> Package:
    """Reads one source and filters its files.

    Raises:
        CorpusError: The archive is damaged or a bomb.
    """
    if source.path.is_dir():
        members: Iterable[tuple[str, bytes | None]] = _folder_members(source)
    else:
        members = read_members(source.path, config.archive_limits, config.filters.max_bytes)
    package = Package(name=source.name, version="", licence=UNKNOWN, licence_source="none")
    texts: list[tuple[str, str]] = []
    metadata_text = licence_text = ""
    for path, data in members:
        if path.endswith(".py"):
            text = _filtered(path, data, config, package)
            if text is not None:
                texts.append((path, text))
        elif data is not None and METADATA.search(path):
            if not metadata_text or path.count("/") <= 1:  # the package's own, not a vendored one's
                metadata_text = data.decode("utf-8", "replace")
        elif data is not None and LICENCE_FILE.search(path) and not licence_text:
            licence_text = data.decode("utf-8", "replace")
    found = source.metadata or read_metadata(metadata_text, licence_text)
    package.name = found.name or source.name
    package.version = found.version
    package.licence = config.licence_overrides.get(source.name, found.licence)
    package.licence_source = found.source
    package.documents = [_document(package, path, text) for path, text in sorted(texts)]
    return package


def _document(package: Package, path: str, text: str) -> Document:
    return Document(
        package=package.name,
        version=package.version,
        path=path,
        licence=package.licence,
        text=text,
    )


def _filtered(path: str, data: bytes | None, config: CorpusConfig, package: Package) -> str | None:
    package.n_files += 1
    package.n_bytes += len(data or b"")
    reason = path_reason(path)
    text = ""
    if reason is None:
        if data is None:
            reason = "too large or unreadable"
        else:
            text, reason = decode(data, config.filters)
    if reason is None:
        reason = text_reason(text, config.filters)
    if reason is not None:
        package.drops[reason] += 1
        return None
    return text


def _folder_members(source: Source) -> Iterator[tuple[str, bytes | None]]:
    """Yields a folder's Python files; links are not followed, unreadable files come as None."""
    root = source.path / source.part
    if not root.exists():
        raise CorpusError(f"{root} does not exist; correct the sources in the config")
    files = [root] if root.is_file() else _walk(root)
    for file in files:
        relative = file.relative_to(source.path).as_posix()
        path = relative.encode("utf-8", "replace").decode()  # names may hold any bytes
        try:
            yield path, file.read_bytes()
        except OSError:
            yield path, None


def _walk(root: Path) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(root, followlinks=False):
        subfolders[:] = sorted(s for s in subfolders if s not in SKIPPED_FOLDERS)
        for name in sorted(names):
            file = Path(folder) / name
            if name.endswith(".py") and file.is_file() and not file.is_symlink():
                yield file
