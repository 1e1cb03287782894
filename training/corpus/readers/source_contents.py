"""Opens a source, whatever its kind: the package's metadata and its files.

A package's files are collected before the first is passed on, because its licence may come last. A
file of records is streamed, since each record has a package of its own. Called by
:mod:`training.corpus.extraction.source_extractor`.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from training.corpus.config import CorpusConfig
from training.corpus.readers.archives.archive_reader import read_archive
from training.corpus.readers.corpus_source import CorpusSource, SourceKind
from training.corpus.readers.folders import read_folder
from training.corpus.readers.git_repository.commit_reader import read_commit
from training.corpus.readers.notebook_code import read_notebook
from training.corpus.readers.package_metadata import MetadataSearch, PackageMetadata
from training.corpus.readers.reading_limits import BeyondLimitsError
from training.corpus.readers.records.hub_datasets import HUB_ADVICE
from training.corpus.readers.records.record_files import RECORDS_ADVICE, read_slice
from training.corpus.readers.records.record_parsing import RecordParser
from training.corpus.readers.source_file import (
    NOTEBOOK_SUFFIX,
    PRIVATE,
    REPOSITORY,
    UNREADABLE,
    FileSelection,
    SourceFile,
)
from training.foundation.foreign_text import path_text
from training.foundation.privacy.private_paths import is_private_path, list_folder_names

NAMED = 3  # files and folders in a warning
_LEFT_OUT = {
    UNREADABLE: (
        "{n} files or folders cannot be read ({named}) and are left out; change their permissions"
        " to include them"
    ),
    REPOSITORY: (
        "{n} subfolders are repositories of their own ({named}) and are left out; name them in"
        " sources.git or sources.folders to include them"
    ),
}


@dataclass(frozen=True, kw_only=True)
class SourceContents:
    """An opened source.

    Attributes:
        metadata: What the source says about itself.
        files: Its Python files: of a package all of them, by path; of records a stream.
        beyond_limits: Why the source was taken for a bomb and none of its files read; None
            otherwise.
        warnings: Sentences for the user, the one about limits included.
    """

    metadata: PackageMetadata
    files: Iterable[SourceFile]
    beyond_limits: str | None = None
    warnings: tuple[str, ...] = ()


def open_source(source: CorpusSource, config: CorpusConfig) -> SourceContents:
    """Opens a source.

    Raises:
        CorpusError: The source is damaged; for records possibly only while they are read.
    """
    parser = RecordParser(
        fields=config.sources.record_fields,
        package=source.name,
        max_bytes=config.filters.max_bytes,
        private_globs=config.sources.private_globs,
    )
    if source.kind in {SourceKind.RECORDS, SourceKind.HUB}:
        advice = RECORDS_ADVICE if source.kind is SourceKind.RECORDS else HUB_ADVICE
        slices = source.slices
        files = (read_slice(s, parser, config.archive_limits, advice=advice) for s in slices)
        limited = itertools.islice(itertools.chain.from_iterable(files), source.limit)
        return _open_records(source, limited)
    return _open_package(source, config)


def _open_records(source: CorpusSource, files: Iterable[SourceFile]) -> SourceContents:
    metadata = PackageMetadata(
        name=source.name, version="", licence="of each record", licence_source="record"
    )
    return SourceContents(metadata=metadata, files=files)


def _open_package(source: CorpusSource, config: CorpusConfig) -> SourceContents:
    search = MetadataSearch()
    folders = list_folder_names(source.path)
    files: list[SourceFile] = []
    n_bytes = 0
    beyond_limits = None
    try:
        for read in _read_package(source, config):
            file = _hide_private(read, config.sources.private_globs, folders)
            if file.path.endswith(NOTEBOOK_SUFFIX):
                files.append(read_notebook(file))
            elif file.path.endswith(".py") or file.problem in {UNREADABLE, REPOSITORY}:
                files.append(file)
            elif file.problem is None:
                search.add(file)
            n_bytes += len(file.data)
            _check_size(source, n_bytes, config.archive_limits.max_source_bytes)
    except BeyondLimitsError as error:
        beyond_limits = str(error)
        files.clear()  # half an archive teaches half of everything
    return SourceContents(
        metadata=source.metadata or search.result(),
        files=sorted(files, key=lambda file: file.path),
        beyond_limits=beyond_limits,
        warnings=(*_name_left_out(source, files), *([beyond_limits] if beyond_limits else ())),
    )


def _hide_private(
    file: SourceFile, globs: Sequence[str] | None, folders: Sequence[str]
) -> SourceFile:
    """Returns a file of a source in folders, without its content if it is private."""
    is_hidden = globs is not None and is_private_path(file.path, globs, folders)
    return SourceFile(path=file.path, problem=PRIVATE) if is_hidden else file


def _check_size(source: CorpusSource, n_bytes: int, limit: int) -> None:
    if n_bytes > limit:
        raise BeyondLimitsError(
            f"{path_text(source.path)} holds more than {limit} bytes of source code; remove it from"
            " the sources or raise archive_limits.max_source_bytes"
        )


def _name_left_out(source: CorpusSource, files: Sequence[SourceFile]) -> Iterable[str]:
    for problem, sentence in _LEFT_OUT.items():
        paths = [file.path for file in files if file.problem == problem]
        if paths:
            named = ", ".join(paths[:NAMED]) + (", ..." if len(paths) > NAMED else "")
            counted = sentence.format(n=len(paths), named=named)
            yield f"{path_text(source.path)}: {counted}"


def _read_package(source: CorpusSource, config: CorpusConfig) -> Iterable[SourceFile]:
    selection = FileSelection(
        max_bytes=config.filters.max_bytes,
        notebooks=config.sources.notebooks,
        nested_repositories=config.sources.nested_repositories,
    )
    if source.kind is SourceKind.GIT:
        within = config.sources.git_folder
        return read_commit(source.path, source.part, config.archive_limits, selection, within)
    if source.path.is_dir():
        return read_folder(source.path, part=source.part, files=source.files, selection=selection)
    return read_archive(source.path, config.archive_limits, selection)
