"""Opens a source, whatever its kind: the package's metadata and its files.

A package's files are collected before the first is passed on, because its licence may come last. A
file of records is streamed, since each record has a package of its own. Called by
:mod:`training.corpus.extraction.source_extractor`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from training.corpus.config import CorpusConfig
from training.corpus.readers.archives import BeyondLimitsError, read_archive
from training.corpus.readers.corpus_source import CorpusSource, SourceKind
from training.corpus.readers.folders import read_folder
from training.corpus.readers.git_repository.commit_reader import read_commit
from training.corpus.readers.package_metadata import MetadataSearch, PackageMetadata
from training.corpus.readers.source_file import SourceFile
from training.corpus.readers.source_records import read_hub, read_records


@dataclass(frozen=True, kw_only=True)
class SourceContents:
    """An opened source.

    Attributes:
        metadata: What the source says about itself.
        files: Its Python files: of a package all of them, by path; of records a stream.
        beyond_limits: Why the archive was taken for a bomb and none of its files read; None
            otherwise.
    """

    metadata: PackageMetadata
    files: Iterable[SourceFile]
    beyond_limits: str | None = None


def open_source(source: CorpusSource, config: CorpusConfig) -> SourceContents:
    """Opens a source.

    Raises:
        CorpusError: The source is damaged; for records possibly only while they are read.
    """
    fields = config.sources.record_fields
    if source.kind is SourceKind.RECORDS:
        return _open_records(source, read_records(source.path, fields, package=source.name))
    if source.kind is SourceKind.HUB:
        return _open_records(source, read_hub(source.name, fields))
    return _open_package(source, config)


def _open_records(source: CorpusSource, files: Iterable[SourceFile]) -> SourceContents:
    metadata = PackageMetadata(
        name=source.name, version="", licence="of each record", licence_source="record"
    )
    return SourceContents(metadata=metadata, files=files)


def _open_package(source: CorpusSource, config: CorpusConfig) -> SourceContents:
    search = MetadataSearch()
    files: list[SourceFile] = []
    beyond_limits = None
    try:
        for file in _read_package(source, config):
            if file.path.endswith(".py"):
                files.append(file)
            elif file.problem is None:
                search.add(file)
    except BeyondLimitsError as error:
        beyond_limits = str(error)
        files.clear()  # half an archive teaches half of everything
    return SourceContents(
        metadata=source.metadata or search.result(),
        files=sorted(files, key=lambda file: file.path),
        beyond_limits=beyond_limits,
    )


def _read_package(source: CorpusSource, config: CorpusConfig) -> Iterable[SourceFile]:
    max_bytes = config.filters.max_bytes
    if source.kind is SourceKind.GIT:
        return read_commit(source.path, source.part, config.archive_limits, max_bytes)
    if source.path.is_dir():
        return read_folder(source.path, part=source.part, files=source.files, max_bytes=max_bytes)
    return read_archive(source.path, config.archive_limits, max_bytes)
