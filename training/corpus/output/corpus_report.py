"""The corpus report: what a corpus holds, what was dropped and why, as ``report.json``.

Field names are the keys of the JSON; this module alone writes and reads it. Reports of older
versions, which lack some fields, can still be read. Used by the commands that build, check, draw or
search a corpus.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.corpus.extraction.source_report import SourceReport
from training.corpus_reader import REPORT_FILE, load_report
from training.foundation.atomic_files import write_json_atomically
from training.foundation.config_schema import from_mapping, to_mapping
from training.foundation.errors import ConfigError, CorpusError

PACKAGES_NAMED = 5  # in a sentence


@dataclass(frozen=True, kw_only=True)
class SizeTotals:
    """A number of documents and their size."""

    documents: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class SplitTotals(SizeTotals):
    """The documents of a split, and the number of its files."""

    files: int


@dataclass(frozen=True, kw_only=True)
class PackageReport(SourceReport):
    """The counts of a source after the selection: ``drops`` include those of the whole corpus."""

    split: str
    kept_files: int
    kept_bytes: int


@dataclass(frozen=True, kw_only=True)
class HeldoutReport:
    """The held-out split.

    Attributes:
        by: How it was chosen, as in ``HeldoutSplit``.
        packages: The packages with held-out documents.
        documents: Held-out documents.
        bytes: Their size.
        share: Their share of the text.
        missing: The packages that the config names, if none of them has a document.
    """

    by: str
    packages: tuple[str, ...]
    documents: int
    bytes: int
    share: float
    missing: tuple[str, ...]

    def describe(self) -> str:
        """Returns one line about what is held out."""
        if self.by == "nothing":
            return "held out: nothing; the tokenizer and the training need held-out documents"
        some = ", ".join(self.packages[:PACKAGES_NAMED])
        some += ", ..." if len(self.packages) > PACKAGES_NAMED else ""
        what = {
            "name": f"the packages named in 'heldout' ({some})",
            "list": f"the documents of 'heldout_list' ({some})",
            "last file": f"the last file of the records ({some})",
            "package": f"{len(self.packages)} whole packages ({some})",
            "document": f"single documents of {len(self.packages)} packages ({some})",
        }[self.by]
        amount = (
            f"{self.documents} documents, {self.bytes / 1e6:.1f} MB, {self.share:.1%} of the text"
        )
        return f"held out, never trained on: {what}: {amount}"


@dataclass(frozen=True, kw_only=True)
class ShareReport:
    """The shares of tests and of the largest packages in the training text."""

    tests: float = 0.0
    largest_packages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FunnelStage:
    """How many documents are left after a stage."""

    stage: str
    documents: int


@dataclass(frozen=True, kw_only=True)
class DuplicateExample:
    """A dropped duplicate; ``similarity`` is None for an exact one."""

    document: str
    similarity: float | None


@dataclass(frozen=True, kw_only=True)
class DuplicateCluster:
    """A kept document and the duplicates dropped for it."""

    kept: str
    dropped: int
    examples: tuple[DuplicateExample, ...]


@dataclass(frozen=True, kw_only=True)
class DuplicatesReport:
    """All duplicates: the number of clusters, of dropped documents and bytes, and the largest."""

    clusters: int
    documents: int
    bytes: int
    largest: tuple[DuplicateCluster, ...]


@dataclass(frozen=True, kw_only=True)
class CorpusReport:
    """The whole report.

    Attributes:
        corpus_sha256: The hash over all documents, whatever their order.
        splits: The totals by split.
        licences: The kept documents by licence, both splits together.
        drops: Dropped files by reason.
        redactions: Placeholders by kind.
        unparsable: Kept documents that do not parse.
        heldout: The held-out split; None in reports of older versions.
        shares: The shares of tests and packages.
        funnel: The documents left after each stage.
        sizes: Kept documents by the power of two that bounds their size, in bytes.
        duplicates: The duplicates.
        packages: The sources, the largest first.
        config: The config as it was recorded; another version may have other keys.
        inputs_sha256: The hash of everything the corpus depends on.
        seconds: How long the build took.
    """

    corpus_sha256: str
    splits: Mapping[str, SplitTotals]
    licences: Mapping[str, SizeTotals]
    drops: Mapping[str, int]
    redactions: Mapping[str, int]
    unparsable: int
    heldout: HeldoutReport | None = None
    shares: ShareReport = field(default_factory=ShareReport)
    funnel: tuple[FunnelStage, ...]
    sizes: Mapping[str, int]
    duplicates: DuplicatesReport
    packages: tuple[PackageReport, ...]
    config: Mapping[str, Any]
    inputs_sha256: str
    seconds: float

    def describe_splits(self, corpus: Path) -> str:
        """Returns one line for each split of the corpus at ``corpus``."""
        return "".join(
            f"{corpus / split}: {totals.documents} documents, {totals.bytes / 1e6:.1f} MB\n"
            for split, totals in self.splits.items()
        )


def limit_size(n_bytes: int) -> int:
    """Returns the key of a document in ``sizes``: up to 1, 2, 4, ... KiB."""
    return max(1024, 1 << (n_bytes - 1).bit_length())


def write_report(folder: Path, report: CorpusReport) -> None:
    """Writes the report of the corpus in ``folder``."""
    write_json_atomically(folder / REPORT_FILE, to_mapping(report))


def read_report(corpus: Path) -> CorpusReport:
    """Reads the report of a corpus.

    Raises:
        CorpusError: The corpus is missing, unfinished or damaged, or of another version.
    """
    values = load_report(corpus)
    try:
        return from_mapping(CorpusReport, values, where=REPORT_FILE)
    except ConfigError as error:
        raise CorpusError(
            f"the report of {corpus} is damaged or of another version ({error}); build the corpus"
            " again"
        ) from error


def load_finished_report(corpus: Path, inputs_sha256: str) -> CorpusReport | None:
    """Returns the report of a complete corpus made from these very inputs, else None."""
    try:
        report = read_report(corpus)
    except CorpusError:
        return None  # missing, damaged, or of another version
    n_files = {split: len(list((corpus / split).glob("part-*.parquet"))) for split in report.splits}
    is_complete = all(n_files[split] == totals.files for split, totals in report.splits.items())
    return report if is_complete and report.inputs_sha256 == inputs_sha256 else None
