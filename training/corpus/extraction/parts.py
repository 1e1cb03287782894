"""The documents of one source on disk, with the sketches that find duplicates, and its report.

A part is two files in the work folder. The report is written last: a part that has one is complete
and is kept when an interrupted run resumes. Row groups bound the memory, however large a source is.
Written by :mod:`training.corpus.extraction.source_extractor`, read by
:mod:`training.corpus.selection.selection` and :mod:`training.corpus.output.corpus_writer`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training.corpus.corpus_document import SCHEMA, Document, to_table
from training.corpus.dedup.exact_duplicates import hash_content
from training.corpus.dedup.near_duplicates import N_HASHES, WordHashes, compute_sketches
from training.corpus.extraction.source_report import SourceReport
from training.foundation.atomic_files import name_file, write_json_atomically
from training.foundation.config_schema import from_mapping, to_mapping
from training.foundation.errors import ConfigError

ROW_GROUP_DOCUMENTS = 500
_SKETCH_SCHEMA = pa.schema(
    [
        ("n_bytes", pa.int64()),
        ("weight", pa.float64()),
        ("source", pa.string()),
        ("content_key", pa.binary(16)),
        ("signature", pa.binary(4 * N_HASHES)),
        ("words", pa.binary()),
    ]
)
PART_SCHEMA = pa.schema([*SCHEMA, *_SKETCH_SCHEMA])


@dataclass(frozen=True, kw_only=True)
class Part:
    """The files of one source's part."""

    folder: Path
    number: int

    @property
    def documents(self) -> Path:
        """The Parquet file, with the columns of :data:`PART_SCHEMA`."""
        return self.folder / f"{self.number:05d}.parquet"

    @property
    def report(self) -> Path:
        """The counts; exists only if the part is complete."""
        return self.folder / f"{self.number:05d}.json"

    def read_report(self) -> SourceReport | None:
        """Returns the report, or None if the part is incomplete."""
        if not self.documents.is_file():
            return None
        try:
            values = json.loads(self.report.read_text(encoding="utf-8"))
            if not isinstance(values, dict):
                return None
            return from_mapping(SourceReport, values, where=str(self.report))
        except (OSError, ValueError, ConfigError):
            return None

    def read_row_groups(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yields the named columns, a row group at a time."""
        file = pq.ParquetFile(self.documents)
        for index in range(file.num_row_groups):
            yield file.read_row_group(index, columns=list(columns))

    def read_words(self, rows: Sequence[int]) -> dict[int, WordHashes]:
        """Returns the hashed word sets of some rows."""
        wanted, first, found = set(rows), 0, {}
        for table in self.read_row_groups(["words"]) if wanted else ():
            for offset, data in enumerate(table["words"]):
                if first + offset in wanted:
                    found[first + offset] = np.frombuffer(data.as_py(), np.uint32)
            first += table.num_rows
        return found


@dataclass(kw_only=True)
class PartWriter:
    """Writes a part's documents; :meth:`close` completes it."""

    part: Part
    _waiting: list[Document] = field(default_factory=list)
    _file: pq.ParquetWriter | None = None

    def add(self, document: Document) -> None:
        """Appends a document."""
        self._waiting.append(document)
        if len(self._waiting) == ROW_GROUP_DOCUMENTS:
            self._flush()

    def close(self, report: SourceReport) -> None:
        """Closes the file and writes the report."""
        self._flush()
        assert self._file is not None, "flushing opens it"
        with name_file(self.part.documents):
            self._file.close()
        write_json_atomically(self.part.report, to_mapping(report))

    def _flush(self) -> None:
        if self._file is None:
            self._file = pq.ParquetWriter(self.part.documents, PART_SCHEMA, compression="zstd")
        if not self._waiting:
            return
        table = to_table(self._waiting)
        texts = [document.text for document in self._waiting]
        words, signatures = compute_sketches(texts)
        columns = {
            "n_bytes": [len(text.encode()) for text in texts],
            "weight": [document.weight for document in self._waiting],
            "source": [document.source for document in self._waiting],
            "content_key": [hash_content(text) for text in texts],
            "signature": [signature.tobytes() for signature in signatures],
            "words": [found.tobytes() for found in words],
        }
        for name, column in columns.items():
            field = _SKETCH_SCHEMA.field(name)
            table = table.append_column(field, pa.array(column, field.type))
        with name_file(self.part.documents):
            self._file.write_table(table)
        self._waiting.clear()
