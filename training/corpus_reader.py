"""Reads a finished corpus; the later stages of training start here.

A corpus is a folder with a ``train`` and a ``heldout`` split, each a series of Parquet files, and
``report.json``. Nothing is filtered or reordered here. The report as a whole is read by
:mod:`training.corpus.output.corpus_report`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from training.foundation.errors import CorpusError
from training.foundation.foreign_text import read_json

REPORT_FILE = "report.json"
MAX_REPORT_BYTES = 1 << 30  # it lists every package and every kind of drop
TRAIN, HELDOUT = "train", "heldout"
SPLITS = (HELDOUT, TRAIN)


@dataclass(frozen=True, kw_only=True)
class RowGroup:
    """One row group of a Parquet file: the unit that stages pass to their processes."""

    path: Path
    index: int
    n_documents: int
    n_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredDocument:
    """A document as it is stored; columns that were not read are empty.

    Attributes:
        package: Its package.
        version: The package's version.
        path: Its path within the package.
        licence: The package's SPDX expression.
        quality: "low", "mid", "high", or "" if unknown.
        sha256: The SHA-256 of the text, in hexadecimal.
        text: The text.
    """

    package: str = ""
    version: str = ""
    path: str = ""
    licence: str = ""
    quality: str = ""
    sha256: str = ""
    text: str = ""


def list_row_groups(corpus: Path, split: str) -> list[RowGroup]:
    """Lists a split's row groups in file order.

    Raises:
        CorpusError: The corpus is missing, unfinished or damaged, or the split is empty.
    """
    _check_finished(corpus)
    groups = []
    for path in sorted((corpus / split).glob("*.parquet")):
        try:
            meta = pq.ParquetFile(path).metadata
        except (OSError, pa.ArrowException) as error:
            raise CorpusError(f"{path} is damaged ({error}); build the corpus again") from error
        for index in range(meta.num_row_groups):
            group = meta.row_group(index)
            groups.append(
                RowGroup(
                    path=path,
                    index=index,
                    n_documents=group.num_rows,
                    n_bytes=group.total_byte_size,
                )
            )
    if not groups:
        raise CorpusError(_describe_empty_split(corpus, split))
    return groups


def read_documents(group: RowGroup, columns: Sequence[str]) -> Iterator[StoredDocument]:
    """Yields a row group's documents with the named columns.

    Raises:
        CorpusError: A column is missing, or the file is damaged.
    """
    try:
        file = pq.ParquetFile(group.path)
        missing = [column for column in columns if column not in file.schema_arrow.names]
        if missing:
            raise CorpusError(
                f"{group.path} has no column {', '.join(missing)}: another version wrote it;"
                " build the corpus again"
            )
        rows = file.read_row_group(group.index, columns=list(columns)).to_pylist()
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise CorpusError(f"{group.path} is damaged ({error}); build the corpus again") from error
    for row in rows:
        known = {column: value for column, value in row.items() if value is not None}
        if not all(isinstance(value, str) for value in known.values()):
            raise CorpusError(f"{group.path} holds something other than text; build it again")
        yield StoredDocument(**known)


def read_corpus_hash(corpus: Path) -> str:
    """Returns the hash over the corpus' documents that its report states.

    Raises:
        CorpusError: The corpus is missing, unfinished or damaged.
    """
    return str(load_report(corpus)["corpus_sha256"])


def load_report(corpus: Path) -> dict[str, Any]:
    """Loads the JSON of the corpus' report, of this or an older version.

    Raises:
        CorpusError: The corpus is missing, unfinished or damaged.
    """
    _check_finished(corpus)
    damaged = f"{corpus / REPORT_FILE} is damaged; build the corpus again"
    try:
        report = read_json(corpus / REPORT_FILE, max_bytes=MAX_REPORT_BYTES)
    except (OSError, ValueError) as error:
        raise CorpusError(damaged) from error
    if not isinstance(report, dict) or "corpus_sha256" not in report:
        raise CorpusError(damaged)
    return report


def _describe_empty_split(corpus: Path, split: str) -> str:
    if split != HELDOUT:
        return f"{corpus} has no training documents; add sources and build the corpus again"
    return (
        f"{corpus} has no held-out documents, which the tokenizer and the training are measured on;"
        " set heldout_share (or name packages in heldout) in the corpus' config and build it again"
    )


def _check_finished(corpus: Path) -> None:
    if not (corpus / REPORT_FILE).is_file():
        raise CorpusError(
            f"{corpus} holds no finished corpus ({REPORT_FILE} is missing);"
            " build it with: parrotlet corpus CONFIG.toml"
        )
