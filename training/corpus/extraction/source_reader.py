"""Reads one source into its part: files found, licence known, every document screened.

Runs in the worker processes. What concerns the corpus as a whole (duplicates, balance, split) is
not decided here. Called by :mod:`training.corpus.build`.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.corpus.config import CorpusConfig
from training.corpus.corpus_document import Document
from training.corpus.extraction.parts import Part, PartWriter
from training.corpus.filters.screening import Screen, Tally
from training.corpus.licences import Metadata, read_metadata
from training.corpus.quality import QualityRules
from training.corpus.readers.archives import (
    LICENCE_FILE,
    METADATA,
    TOO_LARGE,
    BeyondLimitsError,
    Member,
    read_members,
)
from training.corpus.readers.git import IgnoreRules, read_commit
from training.corpus.readers.records import read_hub, read_records
from training.corpus.readers.sources import Source, SourceKind
from training.corpus.selection.sampling_weights import is_test, weight_of
from training.foundation.errors import CorpusError

BEYOND_LIMITS = "archive beyond limits"
UNREADABLE = "unreadable"
SKIPPED_FOLDERS = {"site-packages", "dist-packages", "__pycache__", "node_modules", ".git", ".venv"}


@dataclass(kw_only=True)
class Reader:
    """Reads any number of sources; what is costly to make is made once."""

    config: CorpusConfig
    screen: Screen
    quality: QualityRules

    @classmethod
    def of(cls, config: CorpusConfig) -> "Reader":
        """Makes the stages of a config."""
        return cls(config=config, screen=Screen(config), quality=QualityRules.of(config.quality))

    def read(self, source: Source, part: Part) -> dict[str, Any]:
        """Writes a source's part, unless it is whole already; returns its report.

        An archive that is taken for a bomb gives no document and one counted drop: it must not stop
        the run, nor teach the model the half that was read.

        Raises:
            CorpusError: The source is damaged.
        """
        report = part.read_report()
        if report is None:
            writer = PartWriter(part=part)
            tally = Tally()
            if source.kind in {SourceKind.RECORDS, SourceKind.HUB}:
                about = self._read_records(source, writer, tally)
            else:
                about = self._read_package(source, writer, tally)
            report = {**about, **_counts(tally)}
            writer.close(report)
        return report

    def _read_package(self, source: Source, writer: PartWriter, tally: Tally) -> dict[str, Any]:
        members, metadata, warnings = self._collect(source, tally)
        licence = self.config.licence_overrides.get(source.name, metadata.licence)
        about = {
            "package": metadata.name or source.name,
            "version": metadata.version,
            "licence": licence,
        }
        facts = {"has_tests": any(is_test(member.path) for member in members)}
        level = self.quality.level(source.name, facts)
        for member in sorted(members, key=lambda member: member.path):
            text = self.screen.check(member, package=source.name, licence=licence, tally=tally)
            if text is not None:
                weight = weight_of(member.path, text, self.config.balance)
                writer.add(
                    Document(**about, path=member.path, quality=level, weight=weight, text=text)
                )
        return {
            **about,
            "licence_source": metadata.source,
            "licence_not_allowed": self.screen.not_allowed(licence),
            "warnings": warnings,
        }

    def _collect(self, source: Source, tally: Tally) -> tuple[list[Member], Metadata, list[str]]:
        """Returns a package's Python files, what it says of itself, and warnings."""
        found, warnings = MetadataSearch(), []
        members: list[Member] = []
        try:
            for member in _members(source, self.config):
                if member.path.endswith(".py"):
                    members.append(member)
                elif member.problem is None:
                    found.offer(member)
        except BeyondLimitsError as error:
            warnings.append(str(error))
            tally.drop(BEYOND_LIMITS, source.path.name)
            members.clear()
        return members, source.metadata or found.metadata(), warnings

    def _read_records(self, source: Source, writer: PartWriter, tally: Tally) -> dict[str, Any]:
        """Each record has a package and a licence of its own; they go by as a stream."""
        fields = self.config.sources.record_fields
        records = (
            read_hub(source.name, fields)
            if source.kind is SourceKind.HUB
            else read_records(source.path, fields)
        )
        for record in records:
            name = record.package or source.name
            licence = self.config.licence_overrides.get(name, record.licence)
            file = Member(path=record.path, data=record.data, problem=record.problem)
            text = self.screen.check(file, package=name, licence=licence, tally=tally)
            if text is not None:
                writer.add(
                    Document(
                        package=name,
                        version=record.version,
                        path=record.path,
                        licence=licence,
                        quality=self.quality.level(name, record.facts),
                        weight=weight_of(record.path, text, self.config.balance),
                        text=text,
                    )
                )
        return {
            "package": source.name,
            "version": "",
            "licence": "of each record",
            "licence_source": "record",
            "licence_not_allowed": [],
            "warnings": [],
        }


def _counts(tally: Tally) -> dict[str, Any]:
    return {
        "files": tally.n_files,
        "bytes": tally.n_bytes,
        "drops": dict(sorted(tally.drops.items())),
        "examples": tally.examples,
        "redactions": dict(sorted(tally.redactions.items())),
        "unparsable": tally.unparsable,
    }


class MetadataSearch:
    """Keeps the metadata and the licence file that stand highest in the tree."""

    def __init__(self) -> None:
        self._best: dict[str, tuple[tuple[int, str], bytes]] = {}

    def offer(self, member: Member) -> None:
        """Takes a file that may be the package's metadata or licence."""
        kind = "metadata" if METADATA.search(member.path) else "licence"
        if not (METADATA.search(member.path) or LICENCE_FILE.search(member.path)):
            return
        rank = (member.path.count("/"), member.path)  # a vendored package's lies deeper
        if kind not in self._best or rank < self._best[kind][0]:
            self._best[kind] = (rank, member.data)

    def metadata(self) -> Metadata:
        """Returns what the files say."""
        texts = {kind: data.decode("utf-8", "replace") for kind, (_, data) in self._best.items()}
        return read_metadata(texts.get("metadata", ""), texts.get("licence", ""))


def _members(source: Source, config: CorpusConfig) -> Iterable[Member]:
    if source.kind is SourceKind.GIT:
        return read_commit(source.path, source.part, config.filters.max_bytes)
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
    """Yields a tree's Python files in a fixed order, links and what git ignores left out."""
    rules = IgnoreRules(root)
    for folder, subfolders, names in os.walk(root, followlinks=False):
        here = Path(folder)
        subfolders[:] = sorted(
            name
            for name in subfolders
            if name not in SKIPPED_FOLDERS and not rules.ignores(here / name, is_folder=True)
        )
        for name in sorted(names):
            file = here / name
            is_plain = name.endswith(".py") and file.is_file() and not file.is_symlink()
            if is_plain and not rules.ignores(file, is_folder=False):
                yield file
