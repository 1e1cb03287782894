"""Documents that a config holds out by a list of them, or as the last file of the records.

The list is a text file with a name in each line: a package, ``PACKAGE/PATH``, or the SHA-256 of a
document's text. Called by :mod:`training.corpus.selection.selection` and, for streams, by
:mod:`training.stream.document_stages`.
"""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

from training.corpus.config import CorpusConfig
from training.corpus.extraction.parts import Part
from training.corpus.extraction.source_list import find_files, list_record_file
from training.corpus.readers.package_names import normalize_name
from training.foundation.errors import CorpusError, ForeignDataError
from training.foundation.foreign_text import read_bounded

MAX_LIST_BYTES = 256 << 20
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class ListedDocuments:
    """For each document, whether the list or the last file has it; and lines that no one has."""

    is_listed: list[bool]
    unmatched: tuple[str, ...] = ()

    def extend(self, more: Sequence[bool]) -> "ListedDocuments":
        """Returns the same with further documents."""
        both = [one or other for one, other in zip(self.is_listed, more, strict=True)]
        return replace(self, is_listed=both)


class HeldoutList:
    """The lines of ``heldout_list``; none without one.

    Args:
        path: The list.

    Raises:
        CorpusError: It cannot be read.
    """

    def __init__(self, path: Path | None) -> None:
        lines = [] if path is None else _read_lines(path)
        self._lines = frozenset(lines)
        self._packages: dict[str, set[str]] = {}  # the lines that mean the same package
        for line in lines:
            self._packages.setdefault(normalize_name(line), set()).add(line)
        self.has_hashes = any(map(_SHA256.fullmatch, lines))

    def find(self, package: str, path: str, sha256: str = "") -> frozenset[str]:
        """Returns the lines that hold out a document.

        Args:
            package: The document's package.
            path: Its path.
            sha256: Its hash; empty to go by the names.
        """
        found = {f"{package}/{path}", sha256} & self._lines
        return frozenset(found | self._packages.get(normalize_name(package), set()))

    def list_unmatched(self, matched: AbstractSet[str]) -> tuple[str, ...]:
        """Returns the lines that held out nothing, sorted."""
        return tuple(sorted(self._lines - matched))


def find_listed(
    config: CorpusConfig,
    package: Sequence[str],
    path: Sequence[str],
    sha256: Sequence[str],
) -> ListedDocuments:
    """Returns which documents ``heldout_list`` holds out.

    Args:
        config: The corpus' config.
        package: The package of each document.
        path: Its path.
        sha256: Its hash.

    Raises:
        CorpusError: The list cannot be read.
    """
    lines = HeldoutList(config.heldout_list)
    found = [lines.find(*document) for document in zip(package, path, sha256, strict=True)]
    matched = frozenset[str]().union(*found)
    return ListedDocuments(
        is_listed=[bool(lines) for lines in found], unmatched=lines.list_unmatched(matched)
    )


def _read_lines(path: Path) -> list[str]:
    try:
        text = read_bounded(path, MAX_LIST_BYTES).decode("utf-8-sig")
    except (OSError, ForeignDataError, UnicodeDecodeError) as error:
        raise CorpusError(
            f"heldout_list: {path} cannot be read ({error}); name a text file with a package, a"
            " PACKAGE/PATH or a SHA-256 in each line"
        ) from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def find_last_file(config: CorpusConfig, parts: Sequence[Part]) -> frozenset[int]:
    """Returns the places in ``parts`` of the last file of the records, which may have several.

    Raises:
        CorpusError: There are no records.
    """
    files = [file for pattern in config.sources.records for file in find_files(pattern)]
    reports = [part.read_report() for part in parts] if files else []
    found = [n for n, report in enumerate(reports) if report and report.package == files[-1].name]
    namesakes = [
        source for file in files if file.name == files[-1].name for source in list_record_file(file)
    ]
    if not found or len(found) != len(namesakes):
        raise CorpusError(
            "heldout_last_file holds out the last file of sources.records, which names none; name"
            " some, or use heldout_share"
        )
    namesakes.sort(key=lambda source: source.part)  # as the parts are
    pairs = zip(found, namesakes, strict=True)
    return frozenset(n for n, source in pairs if source.path == files[-1])
