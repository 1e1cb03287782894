"""Reads one source: its files filtered, its licence found, every drop counted.

Runs in the worker processes. What concerns the corpus as a whole (licence policy, duplicates,
split) is not decided here. Called by :mod:`training.corpus.build`.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from training.artifact.errors import CorpusError
from training.corpus.archives import (
    LICENCE_FILE,
    METADATA,
    TOO_LARGE,
    BeyondLimitsError,
    Member,
    read_members,
)
from training.corpus.config import CorpusConfig
from training.corpus.document import Document, Package
from training.corpus.filters import decode, path_reason, text_reason
from training.corpus.licences import UNKNOWN, Metadata, read_metadata
from training.corpus.sources import Source

BEYOND_LIMITS = "archive beyond limits"
UNREADABLE = "unreadable"
SKIPPED_FOLDERS = {"site-packages", "dist-packages", "__pycache__", "node_modules", ".git", ".venv"}


def read_source(source: Source, config: CorpusConfig) -> Package:
    """Reads one source and filters its files.

    An archive that is taken for a bomb gives no document and one counted drop: it must not stop
    the run, nor teach the model the half that was read.

    Raises:
        CorpusError: The archive is damaged.
    """
    package = Package(name=source.name, version="", licence=UNKNOWN, licence_source="none")
    kept: list[tuple[str, str]] = []
    found = _MetadataSearch()
    try:
        for member in _members(source, config):
            if member.path.endswith(".py"):
                text = _filtered(member, config, package)
                if text is not None:
                    kept.append((member.path, text))
            elif member.problem is None:
                found.offer(member)
    except BeyondLimitsError as error:
        package.warnings.append(str(error))
        package.drops[BEYOND_LIMITS] += 1
        kept.clear()
    metadata = source.metadata or found.metadata()
    package.name = metadata.name or source.name
    package.version = metadata.version
    package.licence = config.licence_overrides.get(source.name, metadata.licence)
    package.licence_source = metadata.source
    package.documents = [_document(package, path, text) for path, text in sorted(kept)]
    return package


class _MetadataSearch:
    """Keeps the metadata and the licence file that stand highest in the tree."""

    def __init__(self) -> None:
        self._best: dict[str, tuple[tuple[int, str], bytes]] = {}

    def offer(self, member: Member) -> None:
        kind = "metadata" if METADATA.search(member.path) else "licence"
        if not (METADATA.search(member.path) or LICENCE_FILE.search(member.path)):
            return
        rank = (member.path.count("/"), member.path)  # a vendored package's lies deeper
        if kind not in self._best or rank < self._best[kind][0]:
            self._best[kind] = (rank, member.data)

    def metadata(self) -> Metadata:
        texts = {kind: data.decode("utf-8", "replace") for kind, (_, data) in self._best.items()}
        return read_metadata(texts.get("metadata", ""), texts.get("licence", ""))


def _document(package: Package, path: str, text: str) -> Document:
    return Document(
        package=package.name,
        version=package.version,
        path=path,
        licence=package.licence,
        text=text,
    )


def _filtered(member: Member, config: CorpusConfig, package: Package) -> str | None:
    package.n_files += 1
    package.n_bytes += len(member.data)
    reason = path_reason(member.path) or member.problem
    text = ""
    if reason is None:
        text, reason = decode(member.data, config.filters)
    if reason is None:
        reason = text_reason(text, config.filters)
    if reason is not None:
        package.drops[reason] += 1
        return None
    return text


def _members(source: Source, config: CorpusConfig) -> Iterable[Member]:
    if not source.path.is_dir():
        return read_members(source.path, config.archive_limits, config.filters.max_bytes)
    return _folder_members(source, config.filters.max_bytes)


def _folder_members(source: Source, max_bytes: int) -> Iterator[Member]:
    """Yields a folder's Python files; links are not followed."""
    root = source.path / source.part
    if not root.exists():
        raise CorpusError(f"{root} does not exist; correct the sources in the config")
    if source.files:
        files: Iterable[Path] = [source.path / file for file in source.files]
    else:
        files = [root] if root.is_file() else walk(root)
    for file in files:
        relative = file.relative_to(source.path).as_posix()
        yield _read_file(file, relative.encode("utf-8", "replace").decode(), max_bytes)


def _read_file(file: Path, path: str, max_bytes: int) -> Member:
    try:
        if file.stat().st_size > max_bytes:  # before it is read into memory
            return Member(path=path, problem=TOO_LARGE)
        return Member(path=path, data=file.read_bytes())
    except OSError:
        return Member(path=path, problem=UNREADABLE)


def walk(root: Path) -> Iterator[Path]:
    """Yields a tree's Python files in a fixed order, links left out."""
    for folder, subfolders, names in os.walk(root, followlinks=False):
        subfolders[:] = sorted(s for s in subfolders if s not in SKIPPED_FOLDERS)
        for name in sorted(names):
            file = Path(folder) / name
            if name.endswith(".py") and file.is_file() and not file.is_symlink():
                yield file
