"""Lists the sources of a config: folders, repositories, archives, the lock, records and datasets.

Sources are listed, not read, so that they can be sorted first; the lock's archives are fetched.
Called by :mod:`training.corpus.build` and ``python -m training.cluster``. To read a source, see
:mod:`training.corpus.readers.source_contents`.
"""

import glob
import platform
import sysconfig
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata as installed_metadata
from importlib.metadata import Distribution
from pathlib import Path

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from training.corpus.config import CorpusConfig, SourcesConfig
from training.corpus.fetching.archive_fetcher import ArchiveFetcher
from training.corpus.fetching.lock_file import read_lock
from training.corpus.readers.corpus_source import CorpusSource, SourceKind
from training.corpus.readers.git_repository.commit_reader import (
    read_root_files,
    resolve_commit,
    split_revision,
)
from training.corpus.readers.package_metadata import (
    MAX_FILE_BYTES,
    PackageMetadata,
    describe_project,
    parse_metadata,
    read_folder_metadata,
)
from training.corpus.readers.records.hub_datasets import HubDataset, list_hub_files
from training.corpus.readers.records.record_files import (
    RECORDS_ADVICE,
    list_record_files,
    slice_for_processes,
)
from training.corpus.readers.records.record_slices import SUFFIXES, FileSlice
from training.corpus.readers.source_file import LICENCE_PATH
from training.foundation.errors import CorpusError, ForeignDataError
from training.foundation.foreign_text import read_bounded

STDLIB_NAME = "cpython-stdlib"
STDLIB_LICENCE = "PSF-2.0"


def list_sources(config: CorpusConfig) -> list[CorpusSource]:
    """Lists every source of the config by name; the lock's archives are fetched.

    Raises:
        CorpusError: A source named in the config does not exist.
    """
    sources = [_list_folder(f, config.sources.folder_licence) for f in config.sources.folders]
    sources += [_list_archive(path) for path in config.sources.archives]
    sources += [_list_installed(name) for name in config.sources.installed]
    sources += [_list_stdlib(part) for part in config.sources.stdlib]
    sources += [
        _list_repository(name, config.sources.folder_licence) for name in config.sources.git
    ]
    sources += [
        source
        for pattern in config.sources.records
        for path in find_records(pattern, key="sources.records")
        for source in list_record_file(path)
    ]
    sources += [
        source
        for dataset, limit in list_datasets(config.sources)
        for source in _list_dataset(dataset, limit)
    ]
    sources += _list_locked(config)
    if not sources:
        raise CorpusError("the config names no sources; add sources.folders, lock or stdlib")
    return sorted(sources, key=lambda source: (source.name, source.part))


def parse_archive_name(path: Path) -> str:
    """Returns the normalized package name in an archive's file name.

    Raises:
        CorpusError: The file name is not that of a wheel or an sdist.
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


def _list_archive(path: Path) -> CorpusSource:
    if not path.is_file():
        raise CorpusError(f"the archive {path} does not exist; correct sources.archives")
    return CorpusSource(name=parse_archive_name(path), path=path)


def _list_locked(config: CorpusConfig) -> Iterator[CorpusSource]:
    if config.sources.lock is None:
        return
    pins = read_lock(config.sources.lock)
    for pin, path in zip(pins, ArchiveFetcher(config.cache).fetch_all(pins), strict=True):
        yield CorpusSource(name=canonicalize_name(pin.name), path=path)


def _list_folder(folder: Path, licence: str | None) -> CorpusSource:
    if not folder.is_dir():
        raise CorpusError(f"the source folder {folder} does not exist; correct sources.folders")
    metadata = read_folder_metadata(folder, licence)
    return CorpusSource(name=canonicalize_name(metadata.name), path=folder, metadata=metadata)


def _list_repository(name: str, licence: str | None) -> CorpusSource:
    folder, revision = split_revision(name)
    commit = resolve_commit(folder, revision)
    files = read_root_files(folder, commit, MAX_FILE_BYTES)
    folder_name = folder.resolve().name.removesuffix(".git") or folder.resolve().parent.name
    metadata = replace(describe_project(files, folder_name, licence), version=commit)
    return CorpusSource(
        name=canonicalize_name(metadata.name),
        path=folder,
        kind=SourceKind.GIT,
        metadata=metadata,
        part=commit,
    )


def find_files(pattern: str) -> list[Path]:
    """Returns the files that match a pattern, sorted; ``**`` matches any number of folders."""
    return sorted(Path(name) for name in glob.glob(pattern, recursive=True))  # noqa: PTH207


def find_records(pattern: str, *, key: str) -> list[Path]:
    """Returns the files of records that match a pattern, sorted.

    Args:
        pattern: As :func:`find_files` takes it.
        key: The key of the config that names it, for messages.

    Raises:
        CorpusError: There are none, or others are among them.
    """
    paths = find_files(pattern)
    if not paths:
        raise CorpusError(f"{key}: no file matches {pattern}; correct the pattern")
    for path in paths:
        if not path.name.endswith(SUFFIXES):
            raise CorpusError(f"{key}: {path} is none of {', '.join(SUFFIXES)}; narrow the pattern")
    return paths


def list_record_file(path: Path) -> Iterator[CorpusSource]:
    """Yields the parts of a file of records, each a source of its own.

    Raises:
        CorpusError: It is no regular file, or a damaged archive.
    """
    slices = [
        part
        for file in list_record_files(path, RECORDS_ADVICE)
        for part in slice_for_processes(file)
    ]
    for number, part in enumerate(slices):
        yield CorpusSource(
            name=path.name,
            path=path,
            kind=SourceKind.RECORDS,
            part="" if len(slices) == 1 else f"{number:05d}",
            slices=(part,),
        )


def list_datasets(sources: SourcesConfig) -> list[tuple[HubDataset, int | None]]:
    """Returns the datasets of a config, and how many records of each to read at most.

    Raises:
        CorpusError: One has no name.
    """
    found: list[tuple[HubDataset, int | None]] = [
        (HubDataset.parse(name), None) for name in sources.hub
    ]
    for source in sources.datasets:
        dataset = HubDataset.parse(
            source.name, data_dir=source.data_dir, data_files=source.data_files
        )
        found.append((dataset, source.limit))
    return found


def _list_dataset(dataset: HubDataset, limit: int | None) -> Iterator[CorpusSource]:
    """Yields the parts of a dataset, each a source of its own; with a limit it is one source."""
    files = list_hub_files(dataset)
    if limit is not None:
        groups = [tuple(FileSlice(file=file) for file in files)]
    else:
        groups = [(part,) for file in files for part in slice_for_processes(file)]
    for number, slices in enumerate(groups):
        yield CorpusSource(
            name=dataset.name,
            path=Path(dataset.name),
            kind=SourceKind.HUB,
            part=f"{number:06d}",
            slices=slices,
            limit=limit,
        )


def _list_installed(name: str) -> CorpusSource:
    try:
        distribution = installed_metadata.distribution(name)
    except (installed_metadata.PackageNotFoundError, ValueError) as error:
        raise CorpusError(
            f"sources.installed names {name!r}, which is not installed; install or remove it"
        ) from error
    files = [file.as_posix() for file in distribution.files or ()]
    inside = [f for f in files if not f.startswith("/") and ".." not in f.split("/")]
    modules = [f for f in inside if f.endswith(".py") and not f.startswith("__editable__")]
    if not modules:
        raise CorpusError(
            f"sources.installed names {name!r}, which records no Python files (an editable"
            " install?); name the folder of its code in sources.folders"
        )
    return CorpusSource(
        name=canonicalize_name(name),
        path=Path(str(distribution.locate_file(""))),
        metadata=parse_metadata(
            distribution.read_text("METADATA") or "", _read_own_licence(distribution, inside)
        ),
        files=tuple(sorted(modules)),
    )


def _read_own_licence(distribution: Distribution, files: list[str]) -> str:
    """Returns the text of a package's licence file; empty if there is none that can be read."""
    found = [f for f in files if LICENCE_PATH.search(f) and ".dist-info/" in f]
    if not found:
        return ""
    own = min(found, key=lambda f: (f.count("/"), f))  # those of vendored packages lie deeper
    try:
        data = read_bounded(Path(str(distribution.locate_file(own))), MAX_FILE_BYTES)
    except (OSError, ForeignDataError):
        return ""
    return data.decode("utf-8", "replace")


def _list_stdlib(part: str) -> CorpusSource:
    whole = part == "."
    name = STDLIB_NAME if whole else f"{STDLIB_NAME}-{canonicalize_name(part)}"
    metadata = PackageMetadata(
        name=name,
        version=platform.python_version(),
        licence=STDLIB_LICENCE,
        licence_source="the interpreter",
    )
    folder = Path(sysconfig.get_path("stdlib"))
    return CorpusSource(name=name, path=folder, metadata=metadata, part="" if whole else part)
