"""Checks a corpus folder against its report.

Every document is read again, a row group at a time: its hash, the counts and the sizes by split,
package and licence. Nothing is changed. Called by ``python -m training.corpus.verify``.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from training.artifact.manifest import NOTICE_FILE
from training.corpus.extraction.source_extractor import BEYOND_LIMITS
from training.corpus.output.corpus_folder import hash_documents, hash_splits
from training.corpus.output.corpus_report import CorpusReport, SizeTotals
from training.corpus_reader import (
    SPLITS,
    TRAIN,
    StoredDocument,
    list_row_groups,
    read_documents,
)
from training.foundation.errors import CorpusError, ForeignDataError
from training.foundation.foreign_text import encode_text, read_bounded
from training.foundation.progress import progress_bar
from training.licensing.attribution import format_line

MAX_NOTICE_BYTES = 1 << 30
_COLUMNS = ["package", "version", "licence", "sha256", "text"]


@dataclass(kw_only=True)
class SplitRecount:
    """What the files of a split hold; ``damaged`` counts texts that do not match their hash."""

    documents: int = 0
    n_bytes: int = 0
    damaged: int = 0
    hashes: list[str] = field(default_factory=list)
    licences: Counter[str] = field(default_factory=Counter)
    licence_bytes: Counter[str] = field(default_factory=Counter)
    packages: set[tuple[str, str, str]] = field(default_factory=set)  # name, version, licence

    def add(self, document: StoredDocument) -> None:
        """Counts a document."""
        data = encode_text(document.text)
        sha256 = hashlib.sha256(data).hexdigest()
        self.damaged += sha256 != document.sha256
        self.documents += 1
        self.n_bytes += len(data)
        self.hashes.append(sha256)
        self.licences[document.licence] += 1
        self.licence_bytes[document.licence] += len(data)
        self.packages.add((document.package, document.version, document.licence))


def find_differences(folder: Path, report: CorpusReport) -> list[str]:
    """Returns what differs between a corpus and its report, in words; nothing if they agree.

    Raises:
        CorpusError: The corpus cannot be read, or the report lacks a split.
    """
    missing = [split for split in SPLITS if split not in report.splits]
    if missing or not report.funnel:
        lacking = ", ".join(missing) or "the funnel"
        raise CorpusError(f"the report of {folder} lacks {lacking}; build the corpus again")
    found = {split: _recount(folder, split, report) for split in SPLITS}
    return [*_compare(found, report), *_find_unattributed(folder, found[TRAIN])]


def _recount(folder: Path, split: str, report: CorpusReport) -> SplitRecount:
    """Reads a split's documents; an empty split has no files."""
    found = SplitRecount()
    if not report.splits[split].files:
        return found
    groups = list_row_groups(folder, split)
    with progress_bar(len(groups), f"recounting {split}", "group") as bar:
        for group in groups:
            try:
                for document in read_documents(group, _COLUMNS):
                    found.add(document)
            except (OSError, pa.ArrowException, TypeError, AttributeError) as error:
                raise CorpusError(
                    f"{group.path} is damaged ({error}); build the corpus again"
                ) from error
            bar.update()
    return found


def _compare(found: Mapping[str, SplitRecount], report: CorpusReport) -> list[str]:
    pairs: list[tuple[str, object, object]] = []
    for split, counted in found.items():
        totals = report.splits[split]
        pairs += [
            (f"{split} documents", counted.documents, totals.documents),
            (f"{split} bytes", counted.n_bytes, totals.bytes),
            (f"{split} texts that differ from their hash", counted.damaged, 0),
        ]
    n_documents = sum(split.documents for split in found.values())
    n_files = sum(package.files for package in report.packages)
    n_kept = sum(package.kept_files for package in report.packages)
    # an archive beyond its limits is a drop, but not one of a file
    n_dropped = sum(n for reason, n in report.drops.items() if reason != BEYOND_LIMITS)
    sha256 = hash_splits([hash_documents(split.hashes) for split in found.values()])
    pairs += [
        ("corpus SHA-256", sha256, report.corpus_sha256),
        ("licences", _count_licences(found), dict(report.licences)),
        ("end of the funnel", n_documents, report.funnel[-1].documents),
        ("sizes", n_documents, sum(report.sizes.values())),
        ("kept files", n_documents, n_kept),
        ("drops", n_files - n_kept, n_dropped),
    ]
    return [
        f"{name}: {counted} in the data, {stated} in the report"
        for name, counted, stated in pairs
        if counted != stated
    ]


def _count_licences(found: Mapping[str, SplitRecount]) -> dict[str, SizeTotals]:
    documents = sum((split.licences for split in found.values()), Counter[str]())
    n_bytes = sum((split.licence_bytes for split in found.values()), Counter[str]())
    return {name: SizeTotals(documents=documents[name], bytes=n_bytes[name]) for name in documents}


def _find_unattributed(folder: Path, train: SplitRecount) -> list[str]:
    """Returns the packages to train on, with version and licence, that NOTICE does not name.

    Earlier versions wrote names over several lines as they are, so the text is searched as well.
    """
    try:
        notice = read_bounded(folder / NOTICE_FILE, MAX_NOTICE_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return [f"{NOTICE_FILE} is missing"]
    except (OSError, ForeignDataError) as error:
        return [f"{NOTICE_FILE} cannot be read ({error})"]
    lines = set(notice.split("\n"))
    lacking = (p for p in sorted(train.packages) if format_line(*p) not in lines)
    return [
        f"{NOTICE_FILE} does not name {format_line(name, version, licence)}"
        for name, version, licence in lacking
        if not _has_line_ends(name + version + licence) or name not in notice
    ]


def _has_line_ends(text: str) -> bool:
    return len(text.splitlines()) > 1
