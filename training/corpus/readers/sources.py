"""Lists where documents come from: folders, repositories, archives, the lock, records, datasets.

Sources are only named here, so that they can be ordered before any is read; the lock's archives are
fetched. They are read by :mod:`training.corpus.extraction.source_reader`.
"""

import glob
import platform
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib import metadata as installed_metadata
from pathlib import Path

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from training.corpus.config import CorpusConfig
from training.corpus.fetching.fetcher import Fetcher, read_lock
from training.corpus.licences import Metadata, read_metadata
from training.corpus.readers.archives import LICENCE_FILE
from training.corpus.readers.folder_metadata import folder_metadata
from training.corpus.readers.git import resolve_commit
from training.corpus.readers.records import SUFFIXES
from training.foundation.errors import CorpusError

STDLIB_NAME = "cpython-stdlib"
STDLIB_LICENCE = "PSF-2.0"


class SourceKind(StrEnum):
    """How a source is read."""

    PACKAGE = "package"  # a folder or an archive
    GIT = "git"
    RECORDS = "records"
    HUB = "hub"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One package to read, or many in one file; ``metadata`` is None if the source itself tells it.

    ``name`` is normalised, so that packages sort and compare alike however they are spelled.
    """

    name: str
    path: Path
    kind: SourceKind = SourceKind.PACKAGE
    metadata: Metadata | None = None
    part: str = ""  # of a folder: what in it to take, empty for all; of a repository: the commit
    files: tuple[str, ...] = ()  # of a folder: these alone; empty for all of it


def list_sources(config: CorpusConfig) -> list[Source]:
    """Lists every source of the config by name, fetching the lock's archives first.

    Raises:
        CorpusError: Something named in the config is not there.
    """
    sources = [_folder(f, config.sources.folder_licence) for f in config.sources.folders]
    sources += [_archive(path) for path in config.sources.archives]
    sources += [_installed(name) for name in config.sources.installed]
    sources += [_stdlib(part) for part in config.sources.stdlib]
    sources += [_repository(name, config.sources.folder_licence) for name in config.sources.git]
    sources += [s for pattern in config.sources.records for s in _records(pattern)]
    sources += [
        Source(name=name, path=Path(name), kind=SourceKind.HUB) for name in config.sources.hub
    ]
    sources += _locked(config)
    if not sources:
        raise CorpusError("the config names no sources; add sources.folders, lock or stdlib")
    return sorted(sources, key=lambda source: (source.name, source.part))


def archive_name(path: Path) -> str:
    """Returns the normalised name of the package that an archive's file name tells.

    Raises:
        CorpusError: The file name is neither a wheel's nor an sdist's.
    """
    for parse in (parse_wheel_filename, parse_sdist_filename):
        try:
            return str(parse(path.name)[0])
        except (InvalidWheelFilename, InvalidSdistFilename):
            continue
    raise CorpusError(
        f"the archive {path} is not named like NAME-VERSION.tar.gz or a wheel;"
        " rename it or unpack it into sources.folders"
    )


def _archive(path: Path) -> Source:
    if not path.is_file():
        raise CorpusError(f"the archive {path} does not exist; correct sources.archives")
    return Source(name=archive_name(path), path=path)


def _locked(config: CorpusConfig) -> Iterator[Source]:
    if config.sources.lock is None:
        return
    pins = read_lock(config.sources.lock)
    for pin, path in zip(pins, Fetcher(config.cache).fetch_all(pins), strict=True):
        yield Source(name=canonicalize_name(pin.name), path=path)


def _folder(folder: Path, licence: str | None) -> Source:
    if not folder.is_dir():
        raise CorpusError(f"the source folder {folder} does not exist; correct sources.folders")
    metadata = folder_metadata(folder, licence)
    return Source(name=canonicalize_name(metadata.name), path=folder, metadata=metadata)


def _repository(name: str, licence: str | None) -> Source:
    path, _, revision = name.partition("@")
    folder = Path(path)
    commit = resolve_commit(folder, revision or "HEAD")
    metadata = replace(folder_metadata(folder, licence), version=commit)
    return Source(
        name=canonicalize_name(metadata.name.removesuffix(".git")),
        path=folder,
        kind=SourceKind.GIT,
        metadata=metadata,
        part=commit,
    )


def matching(pattern: str) -> list[Path]:
    """Returns the files that a pattern names, sorted; ``**`` stands for any folders."""
    return sorted(Path(name) for name in glob.glob(pattern, recursive=True))  # noqa: PTH207


def _records(pattern: str) -> list[Source]:
    paths = matching(pattern)
    if not paths:
        raise CorpusError(f"sources.records: nothing is called {pattern}; correct the pattern")
    for path in paths:
        if not path.name.endswith(SUFFIXES):
            raise CorpusError(
                f"sources.records: {path} is none of {', '.join(SUFFIXES)}; narrow the pattern"
            )
    return [Source(name=path.name, path=path, kind=SourceKind.RECORDS) for path in paths]


def _installed(name: str) -> Source:
    try:
        distribution = installed_metadata.distribution(name)
    except (installed_metadata.PackageNotFoundError, ValueError) as error:
        raise CorpusError(
            f"sources.installed names {name!r}, which is not installed; install or remove it"
        ) from error
    files = [file.as_posix() for file in distribution.files or ()]
    inside = [f for f in files if not f.startswith("/") and ".." not in f.split("/")]
    licence_text = next((distribution.read_text(Path(f).name) for f in inside
                         if LICENCE_FILE.search(f) and ".dist-info/" in f), None)  # fmt: skip
    return Source(
        name=canonicalize_name(name),
        path=Path(str(distribution.locate_file(""))),
        metadata=read_metadata(distribution.read_text("METADATA") or "", licence_text or ""),
        files=tuple(sorted(f for f in inside if f.endswith(".py"))),
    )


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
