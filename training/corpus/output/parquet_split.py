"""Writes one split of the corpus as Parquet files of a bounded number of rows.

Called by :mod:`training.corpus.output.corpus_folder`.
"""

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from training.corpus.corpus_document import SCHEMA
from training.corpus.extraction.parts import Part
from training.corpus.output.corpus_report import SplitTotals


class SplitWriter:
    """Writes a split part by part."""

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
        self._file.write_table(table.select(SCHEMA.names))
        self._rows_in_file += table.num_rows
        self._n_rows += table.num_rows
        self._n_bytes += sum(table["n_bytes"].to_pylist())
        self._sha256 += table["sha256"].to_pylist()

    def _open_next_file(self) -> pq.ParquetWriter:
        if self._file is not None:
            self._file.close()
        path = self._folder / f"part-{self._n_files:05d}.parquet"
        self._n_files += 1
        self._rows_in_file = 0
        return pq.ParquetWriter(path, SCHEMA, compression="zstd")

    def close(self) -> SplitTotals:
        """Closes the last file and returns the split's totals."""
        if self._file is not None:
            self._file.close()
        return SplitTotals(documents=self._n_rows, bytes=self._n_bytes, files=self._n_files)

    def hash_documents(self) -> str:
        """Returns a hash over the split's documents, whatever their order."""
        return hash_documents(self._sha256)


def hash_documents(sha256: list[str]) -> str:
    """Returns a hash over documents, given by their own hashes in any order."""
    return hashlib.sha256("".join(sorted(sha256)).encode()).hexdigest()


def hash_splits(hashes: list[str]) -> str:
    """Returns the hash of a corpus from those of its splits, in the order of ``SPLITS``."""
    return hashlib.sha256("".join(hashes).encode()).hexdigest()
