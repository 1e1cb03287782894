"""Decides what is kept of the corpus as a whole, and writes it to Parquet.

Packages must come in a fixed order, held-out ones first: of two equal documents the first is kept,
so that held-out text is never trained on. Nothing is read or filtered by content here. Called by
:mod:`training.corpus.build`.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from training.artifact.errors import CorpusError
from training.artifact.schema import to_mapping
from training.corpus.config import CorpusConfig
from training.corpus.document import SCHEMA, Document, Package, to_table
from training.corpus.duplicates import ContaminationFilter, DuplicateFilter
from training.corpus.licences import disallowed
from training.corpus.problems import problem_texts

TRAIN, HELDOUT = "train", "heldout"
SPLITS = (HELDOUT, TRAIN)
ROW_GROUP_DOCUMENTS = 1000


class CorpusWriter:
    """Applies what concerns the corpus as a whole, and writes what is left."""

    def __init__(self, folder: Path, config: CorpusConfig) -> None:
        self._config = config
        self._allowed = frozenset(config.licences)
        self._duplicates = DuplicateFilter()
        self._contamination = ContaminationFilter(
            problem_texts(config.decontaminate), config.decontaminate_min_words
        )
        self._parts = {split: SplitWriter(folder / split, config.rows_per_file) for split in SPLITS}
        self._packages: list[dict[str, Any]] = []
        self._drops: Counter[str] = Counter()

    def add(self, package: Package, split: str) -> None:
        """Takes one package's documents into a split."""
        not_allowed = disallowed(package.licence, self._allowed)
        kept = []
        for document in package.documents:
            reason = "licence" if not_allowed else self._reason(document)
            if reason is None:
                kept.append(document)
            else:
                package.drops[reason] += 1
        self._parts[split].write(kept)
        self._drops.update(package.drops)
        self._packages.append(
            {
                "package": package.name,
                "version": package.version,
                "split": split,
                "licence": package.licence,
                "licence_source": package.licence_source,
                "licence_not_allowed": not_allowed,
                "files": package.n_files,
                "bytes": package.n_bytes,
                "kept_files": len(kept),
                "kept_bytes": sum(len(d.text.encode()) for d in kept),
                "drops": dict(sorted(package.drops.items())),
                "warnings": package.warnings,
            }
        )

    def _reason(self, document: Document) -> str | None:
        if self._contamination.is_contaminated(document):
            return "benchmark problem"
        if not self._duplicates.is_new(document):
            return "exact duplicate"
        return None

    def finish(self) -> dict[str, Any]:
        """Closes the files and returns the report.

        Raises:
            CorpusError: Nothing is left to train on.
        """
        splits = {name: part.close() for name, part in self._parts.items()}
        if not splits[TRAIN]["documents"]:
            raise CorpusError("no document is left to train on; loosen the filters or add sources")
        hashes = "".join(part.corpus_hash() for part in self._parts.values())
        return {
            "corpus_sha256": hashlib.sha256(hashes.encode()).hexdigest(),
            "splits": splits,
            "licences": self._licences(),
            "drops": dict(sorted(self._drops.items())),
            "packages": sorted(self._packages, key=lambda p: (-p["kept_bytes"], p["package"])),
            "config": to_mapping(self._config),
        }

    def _licences(self) -> dict[str, dict[str, int]]:
        """Returns how much is kept under each licence."""
        totals: dict[str, dict[str, int]] = {}
        for package in sorted(self._packages, key=lambda p: str(p["licence"])):
            if package["kept_files"]:
                total = totals.setdefault(package["licence"], {"documents": 0, "bytes": 0})
                total["documents"] += package["kept_files"]
                total["bytes"] += package["kept_bytes"]
        return totals


class SplitWriter:
    """Writes one split as Parquet files of a bounded number of rows."""

    def __init__(self, folder: Path, rows_per_file: int) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._rows_per_file = rows_per_file
        self._file: pq.ParquetWriter | None = None
        self._n_files = self._n_rows = self._rows_in_file = self._n_bytes = 0
        self._sha256: list[str] = []

    def write(self, documents: Sequence[Document]) -> None:
        """Appends documents, as row groups of :data:`ROW_GROUP_DOCUMENTS`."""
        for start in range(0, len(documents), ROW_GROUP_DOCUMENTS):
            group = documents[start : start + ROW_GROUP_DOCUMENTS]
            if self._file is None or self._rows_in_file >= self._rows_per_file:
                self._next_file()
            assert self._file is not None
            self._file.write_table(to_table(group))
            self._rows_in_file += len(group)
            self._n_rows += len(group)
            self._n_bytes += sum(len(d.text.encode()) for d in group)
            self._sha256 += [d.sha256 for d in group]

    def close(self) -> dict[str, int]:
        """Ends the last file; returns the split's totals."""
        if self._file is not None:
            self._file.close()
        return {"documents": self._n_rows, "bytes": self._n_bytes, "files": self._n_files}

    def corpus_hash(self) -> str:
        """Returns a hash over the split's documents, whatever their order."""
        return hashlib.sha256("".join(sorted(self._sha256)).encode()).hexdigest()

    def _next_file(self) -> None:
        if self._file is not None:
            self._file.close()
        path = self._folder / f"part-{self._n_files:05d}.parquet"
        self._file = pq.ParquetWriter(path, SCHEMA, compression="zstd")
        self._n_files += 1
        self._rows_in_file = 0
