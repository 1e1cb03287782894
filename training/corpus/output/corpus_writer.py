"""Writes what was selected: Parquet, report, attribution.

Parts are read again in the order of their sources, a row group at a time. Nothing is decided here.
Called by :mod:`training.corpus.build`.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from training.artifact.manifest import NOTICE_FILE
from training.attribution import format_notice
from training.corpus.corpus_document import SCHEMA
from training.corpus.extraction.parts import Part
from training.corpus.filters.screening import EXAMPLES
from training.corpus.selection.sampling_weights import is_test
from training.corpus.selection.selection import (
    BALANCE,
    EXACT,
    NEAR,
    NEAR_HELDOUT,
    Selection,
    clusters,
)
from training.foundation.atomic_files import write_text_atomically
from training.foundation.errors import CorpusError

TRAIN, HELDOUT = "train", "heldout"
SPLITS = (HELDOUT, TRAIN)
CLUSTERS_SHOWN = 20
PACKAGES_SHOWN = 10


def write_corpus(
    folder: Path, parts: Sequence[Part], selection: Selection, *, rows_per_file: int
) -> dict[str, Any]:
    """Writes both splits and the attribution; returns the report's totals.

    Raises:
        CorpusError: Nothing is left to train on.
    """
    splits, hashes = {}, []
    for split in SPLITS:
        writer = SplitWriter(folder / split, rows_per_file)
        for number, part in enumerate(parts):
            writer.write(part, selection.kept_rows(number, heldout=split == HELDOUT))
        splits[split] = writer.close()
        hashes.append(writer.corpus_hash())
    if not splits[TRAIN]["documents"]:
        raise CorpusError("no document is left to train on; loosen the filters or add sources")
    write_text_atomically(folder / NOTICE_FILE, notice(selection))
    return {
        "corpus_sha256": hashlib.sha256("".join(hashes).encode()).hexdigest(),
        "splits": splits,
        "licences": totals(selection, "licence"),
    }


def funnel(selection: Selection, n_files: int) -> list[dict[str, Any]]:
    """Returns how many documents are left after each stage."""
    stages = [{"stage": "files", "documents": n_files}]
    left = len(selection.candidates)
    stages.append({"stage": "passed the filters", "documents": left})
    reasons = Counter(dropped.reason for dropped in selection.dropped.values())
    for stage, names in (
        ("without exact duplicates", {EXACT}),
        ("without near duplicates", {NEAR, NEAR_HELDOUT}),
        ("balanced", set(BALANCE)),
    ):
        left -= sum(reasons[name] for name in names)
        stages.append({"stage": stage, "documents": left})
    return stages


def sizes(selection: Selection) -> dict[str, int]:
    """Returns how many kept documents have up to 1, 2, 4, ... KiB."""
    counts: Counter[int] = Counter()
    for index, n_bytes in enumerate(selection.candidates.n_bytes):
        if index not in selection.dropped:
            counts[max(1024, 1 << (n_bytes - 1).bit_length())] += 1
    return {str(upto): n for upto, n in sorted(counts.items())}


def totals(selection: Selection, column: str) -> dict[str, dict[str, int]]:
    """Returns kept documents and bytes by the values of a column, both splits together."""
    found = selection.candidates
    counts: dict[str, dict[str, int]] = {}
    for index, key in enumerate(getattr(found, column)):
        if index not in selection.dropped:
            total = counts.setdefault(key, {"documents": 0, "bytes": 0})
            total["documents"] += 1
            total["bytes"] += found.n_bytes[index]
    return dict(sorted(counts.items()))


def notice(selection: Selection) -> str:
    """Returns the attribution that goes with a model trained on the corpus: who wrote it."""
    found = selection.candidates
    packages = {
        (found.package[i], found.version[i], found.licence[i])
        for i in range(len(found))
        if i not in selection.dropped and not selection.is_heldout[i]
    }
    return format_notice(packages)


def source_report(report: Mapping[str, Any], number: int, selection: Selection) -> dict[str, Any]:
    """Adds to a part's report what the selection made of it."""
    found = selection.candidates
    mine = selection.by_part.get(number, ())
    kept = [i for i in mine if i not in selection.dropped]
    splits = sorted({HELDOUT if selection.is_heldout[i] else TRAIN for i in mine}, reverse=True)
    drops = Counter(report["drops"])
    examples = {reason: list(paths) for reason, paths in report["examples"].items()}
    for index in mine:
        dropped = selection.dropped.get(index)
        if dropped is not None:
            drops[dropped.reason] += 1
            shown = examples.setdefault(dropped.reason, [])
            if len(shown) < EXAMPLES:
                shown.append(found.path[index])
    return {
        **report,
        "drops": dict(sorted(drops.items())),
        "examples": examples,
        "split": " and ".join(splits) or TRAIN,
        "kept_files": len(kept),
        "kept_bytes": sum(found.n_bytes[i] for i in kept),
    }


def heldout_report(selection: Selection) -> dict[str, Any]:
    """Returns what is held out, and how it was chosen."""
    found = selection.candidates
    kept = [i for i in range(len(found)) if i not in selection.dropped]
    heldout = [i for i in kept if selection.is_heldout[i]]
    n_bytes, n_all = (sum(found.n_bytes[i] for i in of) for of in (heldout, kept))
    return {
        "by": selection.heldout.by,
        "packages": sorted({found.package[i] for i in heldout}),
        "documents": len(heldout),
        "bytes": n_bytes,
        "share": round(n_bytes / max(1, n_all), 4),
        "missing": list(selection.heldout.missing),
    }


def share_report(selection: Selection) -> dict[str, Any]:
    """Returns the shares of tests and of the largest package in the bytes to train on."""
    found = selection.candidates
    packages: Counter[str] = Counter()
    n_tests = 0
    for i, n_bytes in enumerate(found.n_bytes):
        if i not in selection.dropped and not selection.is_heldout[i]:
            packages[found.package[i]] += n_bytes
            n_tests += n_bytes * is_test(found.path[i])
    n_all = max(1, packages.total())
    largest = {name: round(n / n_all, 4) for name, n in packages.most_common(PACKAGES_SHOWN)}
    return {"tests": round(n_tests / n_all, 4), "largest_packages": largest}


def cluster_report(selection: Selection) -> dict[str, Any]:
    """Returns how many documents stand for several, and the largest such clusters."""
    found, all_clusters = selection.candidates, clusters(selection)
    shown = [
        {
            "kept": _name(selection, kept),
            "dropped": len(members),
            "examples": [
                {"document": _name(selection, i), "similarity": selection.dropped[i].similarity}
                for i in members[:EXAMPLES]
            ],
        }
        for kept, members in list(all_clusters.items())[:CLUSTERS_SHOWN]
    ]
    n_bytes = sum(found.n_bytes[i] for members in all_clusters.values() for i in members)
    n_documents = sum(map(len, all_clusters.values()))
    return {
        "clusters": len(all_clusters),
        "documents": n_documents,
        "bytes": n_bytes,
        "largest": shown,
    }


def _name(selection: Selection, index: int) -> str:
    found = selection.candidates
    return f"{found.package[index]}: {found.path[index]}"


class SplitWriter:
    """Writes one split as Parquet files of a bounded number of rows."""

    def __init__(self, folder: Path, rows_per_file: int) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._rows_per_file = rows_per_file
        self._file: pq.ParquetWriter | None = None
        self._n_files = self._n_rows = self._rows_in_file = self._n_bytes = 0
        self._sha256: list[str] = []

    def write(self, part: Part, rows: set[int]) -> None:
        """Appends the named rows of a part."""
        first = 0
        for table in part.row_groups([*SCHEMA.names, "n_bytes"]) if rows else ():
            keep = [i for i in range(table.num_rows) if first + i in rows]
            first += table.num_rows
            if keep:
                self._write_group(table.take(pa.array(keep)))

    def _write_group(self, table: pa.Table) -> None:
        if self._file is None or self._rows_in_file >= self._rows_per_file:
            self._next_file()
        assert self._file is not None
        self._file.write_table(table.select(SCHEMA.names))
        self._rows_in_file += table.num_rows
        self._n_rows += table.num_rows
        self._n_bytes += sum(table["n_bytes"].to_pylist())
        self._sha256 += table["sha256"].to_pylist()

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
