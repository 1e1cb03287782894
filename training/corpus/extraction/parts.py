"""What one source gave, on disk: its documents with the sketches that find duplicates, its report.

A part is two files in the work folder, the report written last: a part with a report is whole, and
is not made again when the run goes on after an interruption. Row groups keep memory flat however
large a source is. Called by :mod:`training.corpus.extraction.source_reader` (writes) and
:mod:`training.corpus.selection.selection` and :mod:`training.corpus.output.corpus_writer` (read).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training.corpus.corpus_document import SCHEMA, Document, to_table
from training.corpus.dedup.exact_duplicates import content_key
from training.corpus.dedup.near_duplicates import N_HASHES, Words, sketch
from training.foundation.atomic_files import write_json_atomically

ROW_GROUP_DOCUMENTS = 500
_SKETCH_SCHEMA = pa.schema(
    [
        ("n_bytes", pa.int64()),
        ("weight", pa.float64()),
        ("content_key", pa.binary(16)),
        ("signature", pa.binary(4 * N_HASHES)),
        ("words", pa.binary()),
    ]
)
PART_SCHEMA = pa.schema([*SCHEMA, *_SKETCH_SCHEMA])


@dataclass(frozen=True, kw_only=True)
class Part:
    """The paths of one source's part."""

    folder: Path
    number: int

    @property
    def documents(self) -> Path:
        """The Parquet file, of :data:`PART_SCHEMA`."""
        return self.folder / f"{self.number:05d}.parquet"

    @property
    def report(self) -> Path:
        """What was counted; there only if the part is whole."""
        return self.folder / f"{self.number:05d}.json"

    def read_report(self) -> dict[str, Any] | None:
        """Returns the report, or None if the part is not whole."""
        try:
            found = json.loads(self.report.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and self.documents.is_file() else None

    def row_groups(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yields the named columns, a row group at a time."""
        file = pq.ParquetFile(self.documents)
        for index in range(file.num_row_groups):
            yield file.read_row_group(index, columns=list(columns))

    def words(self, rows: Sequence[int]) -> dict[int, Words]:
        """Returns the word sets of some rows."""
        wanted, first, found = set(rows), 0, {}
        for table in self.row_groups(["words"]) if wanted else ():
            for offset, data in enumerate(table["words"]):
                if first + offset in wanted:
                    found[first + offset] = np.frombuffer(data.as_py(), np.uint32)
            first += table.num_rows
        return found


@dataclass(kw_only=True)
class PartWriter:
    """Writes a part's documents; :meth:`close` makes it whole."""

    part: Part
    _waiting: list[Document] = field(default_factory=list)
    _file: pq.ParquetWriter | None = None

    def add(self, document: Document) -> None:
        """Appends a document."""
        self._waiting.append(document)
        if len(self._waiting) == ROW_GROUP_DOCUMENTS:
            self._flush()

    def close(self, report: dict[str, Any]) -> None:
        """Ends the file and writes the report."""
        self._flush()
        assert self._file is not None, "flushing opens it"
        self._file.close()
        write_json_atomically(self.part.report, report)

    def _flush(self) -> None:
        if self._file is None:
            self._file = pq.ParquetWriter(self.part.documents, PART_SCHEMA, compression="zstd")
        if not self._waiting:
            return
        texts = [document.text for document in self._waiting]
        words, signatures = sketch(texts)
        sketches = pa.table(
            {
                "n_bytes": [document.n_bytes for document in self._waiting],
                "weight": [document.weight for document in self._waiting],
                "content_key": [content_key(text) for text in texts],
                "signature": [signature.tobytes() for signature in signatures],
                "words": [found.tobytes() for found in words],
            },
            schema=_SKETCH_SCHEMA,
        )
        table = to_table(self._waiting)
        for name in _SKETCH_SCHEMA.names:
            table = table.append_column(_SKETCH_SCHEMA.field(name), sketches[name])
        self._file.write_table(table)
        self._waiting.clear()
