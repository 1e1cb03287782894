"""Writes the corpus folder: Parquet files, NOTICE, report, page and dataset card.

The parts are read again in the order of their sources, a row group at a time. What is kept was
decided by :mod:`training.corpus.selection`. Called by :mod:`training.corpus.build` and
``python -m training.cluster``.
"""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from training.artifact.manifest import NOTICE_FILE
from training.corpus.config import CorpusConfig
from training.corpus.corpus_document import SCHEMA
from training.corpus.extraction.parts import Part
from training.corpus.extraction.source_report import SourceReport
from training.corpus.output.corpus_page import render_corpus_page
from training.corpus.output.corpus_report import CorpusReport, SplitTotals, write_report
from training.corpus.output.dataset_card import render_dataset_card
from training.corpus.output.report_builder import (
    report_duplicates,
    report_funnel,
    report_heldout,
    report_licences,
    report_packages,
    report_shares,
    report_sizes,
    sum_counts,
)
from training.corpus.selection.selection import Selection
from training.corpus_reader import HELDOUT, REPORT_FILE, SPLITS, TRAIN
from training.foundation.atomic_files import (
    FolderContents,
    name_file,
    write_directory_atomically,
    write_text_atomically,
)
from training.foundation.config_schema import to_mapping
from training.foundation.errors import CorpusError
from training.licensing.attribution import format_notice

PAGE_FILE, CARD_FILE = "report.html", "README.md"
CORPUS_FOLDER = FolderContents(
    mark=REPORT_FILE,
    files=frozenset({REPORT_FILE, PAGE_FILE, CARD_FILE, NOTICE_FILE})
    | {f"{split}/*.parquet" for split in SPLITS},
)


def write_corpus(
    config: CorpusConfig,
    parts: Sequence[Part],
    reports: Sequence[SourceReport],
    selection: Selection,
    *,
    inputs_sha256: str,
    started: float,
) -> CorpusReport:
    """Writes the corpus at ``config.out``, completely or not at all, and returns its report.

    Args:
        config: The corpus' config.
        parts: The parts of all sources.
        reports: Their reports.
        selection: What is kept of the parts.
        inputs_sha256: The hash of everything the corpus depends on.
        started: When the work began, on the monotonic clock.

    Raises:
        CorpusError: Nothing is left to train on.
    """
    with write_directory_atomically(config.out, CORPUS_FOLDER, key="out") as folder:
        splits, hashes = {}, []
        for split in SPLITS:
            writer = SplitWriter(folder / split, config.rows_per_file)
            for number, part in enumerate(parts):
                writer.write(part, selection.kept_rows(number, heldout=split == HELDOUT))
            splits[split] = writer.close()
            hashes.append(writer.hash_documents())
        if not splits[TRAIN].documents:
            raise CorpusError("no document is left to train on; loosen the filters or add sources")
        packages = report_packages(reports, selection)
        report = CorpusReport(
            corpus_sha256=hash_splits(hashes),
            splits=splits,
            licences=report_licences(selection),
            drops=sum_counts([package.drops for package in packages]),
            redactions=sum_counts([package.redactions for package in packages]),
            unparsable=sum(package.unparsable for package in packages),
            heldout=report_heldout(selection),
            shares=report_shares(selection),
            funnel=report_funnel(selection, sum(package.files for package in packages)),
            sizes=report_sizes(selection),
            duplicates=report_duplicates(selection),
            packages=packages,
            config=to_mapping(config),
            inputs_sha256=inputs_sha256,
            seconds=round(time.monotonic() - started, 1),
        )
        _write_documents(folder, report, selection)
    return report


def _write_documents(folder: Path, report: CorpusReport, selection: Selection) -> None:
    index = selection.index
    trained_on = {
        (index.package[i], index.version[i], index.licence[i])
        for i in range(len(index))
        if i not in selection.dropped and not selection.is_heldout[i]
    }
    write_text_atomically(folder / NOTICE_FILE, format_notice(trained_on))
    write_report(folder, report)
    write_text_atomically(folder / PAGE_FILE, render_corpus_page(report))
    write_text_atomically(folder / CARD_FILE, render_dataset_card(report))


class SplitWriter:
    """Writes a split as Parquet files of a bounded number of rows."""

    def __init__(self, folder: Path, rows_per_file: int) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._rows_per_file = rows_per_file
        self._file: pq.ParquetWriter | None = None
        self._n_files = self._n_rows = self._rows_in_file = self._n_bytes = 0
        self._sha256: list[str] = []

    def write(self, part: Part, rows: set[int]) -> None:
        """Appends the given rows of a part, a row group at a time."""
        first = 0
        for table in part.read_row_groups([*SCHEMA.names, "n_bytes"]) if rows else ():
            keep = [i for i in range(table.num_rows) if first + i in rows]
            first += table.num_rows
            if keep:
                self._write_group(table.take(pa.array(keep)))

    def _write_group(self, table: pa.Table) -> None:
        if self._file is None or self._rows_in_file >= self._rows_per_file:
            self._file = self._open_next_file()
        with name_file(self._folder):
            self._file.write_table(table.select(SCHEMA.names))
        self._rows_in_file += table.num_rows
        self._n_rows += table.num_rows
        self._n_bytes += sum(table["n_bytes"].to_pylist())
        self._sha256 += table["sha256"].to_pylist()

    def _open_next_file(self) -> pq.ParquetWriter:
        self._close_file()
        path = self._folder / f"part-{self._n_files:05d}.parquet"
        self._n_files += 1
        self._rows_in_file = 0
        return pq.ParquetWriter(path, SCHEMA, compression="zstd")

    def close(self) -> SplitTotals:
        """Closes the last file and returns the split's totals."""
        self._close_file()
        return SplitTotals(documents=self._n_rows, bytes=self._n_bytes, files=self._n_files)

    def _close_file(self) -> None:
        if self._file is not None:
            with name_file(self._folder):
                self._file.close()

    def hash_documents(self) -> str:
        """Returns a hash over the split's documents, whatever their order."""
        return hash_documents(self._sha256)


def hash_documents(sha256: list[str]) -> str:
    """Returns a hash over documents, given by their own hashes in any order."""
    return hashlib.sha256("".join(sorted(sha256)).encode()).hexdigest()


def hash_splits(hashes: list[str]) -> str:
    """Returns the hash of a corpus from those of its splits, in the order of ``SPLITS``."""
    return hashlib.sha256("".join(hashes).encode()).hexdigest()
