"""Documents that a config holds out by a list of them, or as the last file of the records.

The list is a text file with a name in each line: a package, ``PACKAGE/PATH``, or the SHA-256 of a
document's text. Called by :mod:`training.corpus.selection.selection`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.corpus.config import CorpusConfig
from training.corpus.extraction.parts import Part
from training.corpus.extraction.source_list import find_files, list_record_file
from training.corpus.readers.package_names import normalize_name
from training.foundation.errors import CorpusError, ForeignDataError
from training.foundation.foreign_text import read_bounded

MAX_LIST_BYTES = 256 << 20


@dataclass(frozen=True, kw_only=True)
class ListedDocuments:
    """For each document, whether the list or the last file has it; and lines that no one has."""

    is_listed: list[bool]
    unmatched: tuple[str, ...] = ()

    def extend(self, more: Sequence[bool]) -> "ListedDocuments":
        """Returns the same with further documents."""
        both = [one or other for one, other in zip(self.is_listed, more, strict=True)]
        return replace(self, is_listed=both)


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
    lines = _read_lines(config.heldout_list)
    matched: set[str] = set()
    is_listed = []
    for name, inside, digest in zip(package, path, sha256, strict=True):
        found = {normalize_name(name), f"{name}/{inside}", digest} & lines.keys()
        matched |= found
        is_listed.append(bool(found))
    unmatched = (line for key, line in lines.items() if key not in matched)
    return ListedDocuments(is_listed=is_listed, unmatched=tuple(sorted(unmatched)))


def _read_lines(path: Path | None) -> dict[str, str]:
    """Returns the lines by what they are compared with."""
    if path is None:
        return {}
    try:
        text = read_bounded(path, MAX_LIST_BYTES).decode("utf-8-sig")
    except (OSError, ForeignDataError, UnicodeDecodeError) as error:
        raise CorpusError(
            f"heldout_list: {path} cannot be read ({error}); name a text file with a package, a"
            " PACKAGE/PATH or a SHA-256 in each line"
        ) from error
    lines = (line.strip() for line in text.splitlines())
    named = (line for line in lines if line and not line.startswith("#"))
    return {line if "/" in line else normalize_name(line): line for line in named}


def find_last_file(config: CorpusConfig, parts: Sequence[Part]) -> frozenset[int]:
    """Returns the places in ``parts`` of the last file of the records, which may have several.

    Raises:
        CorpusError: There are no records.
    """
    files = [file for pattern in config.sources.records for file in find_files(pattern)]
    reports = [part.read_report() for part in parts] if files else []
    found = [n for n, report in enumerate(reports) if report and report.package == files[-1].name]
    if not found:
        raise CorpusError(
            "heldout_last_file holds out the last file of sources.records, which names none; name"
            " some, or use heldout_share"
        )
    n_slices = sum(1 for _ in list_record_file(files[-1]))  # earlier files may have its name
    return frozenset(found[-n_slices:])
