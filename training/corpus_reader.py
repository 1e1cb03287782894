"""Reads the corpus that ``training.corpus`` wrote: the stages behind it start here.

A corpus is a folder with ``train`` and ``heldout`` parts, each a row of Parquet files. Nothing is
filtered or reordered here.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from training.foundation.errors import CorpusError

REPORT_FILE = "report.json"
HELDOUT = "heldout"


@dataclass(frozen=True, kw_only=True)
class RowGroup:
    """One row group of one Parquet file: the unit that stages hand to their processes."""

    path: Path
    index: int
    n_documents: int
    n_bytes: int


def row_groups(corpus: Path, split: str) -> list[RowGroup]:
    """Lists a split's row groups in file order.

    Raises:
        CorpusError: The corpus is missing, unfinished or damaged.
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
        raise CorpusError(_without_documents(corpus, split))
    return groups


def read_rows(group: RowGroup, columns: list[str]) -> Iterator[dict[str, str]]:
    """Yields a row group's documents as dictionaries of the named columns.

    Raises:
        CorpusError: A column is missing.
    """
    file = pq.ParquetFile(group.path)
    missing = [column for column in columns if column not in file.schema_arrow.names]
    if missing:
        raise CorpusError(
            f"{group.path} has no column {', '.join(missing)}: another version wrote it;"
            " build the corpus again"
        )
    yield from file.read_row_group(group.index, columns=columns).to_pylist()


def corpus_hash(corpus: Path) -> str:
    """Returns the hash over the corpus' documents that its report states.

    Raises:
        CorpusError: The corpus is missing, unfinished or damaged.
    """
    return str(read_report(corpus)["corpus_sha256"])


def read_report(corpus: Path) -> dict[str, Any]:
    """Returns the corpus' report.

    Raises:
        CorpusError: The corpus is missing, unfinished or damaged.
    """
    _check_finished(corpus)
    try:
        report = json.loads((corpus / REPORT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged_report(corpus) from error
    if not isinstance(report, dict) or "corpus_sha256" not in report:
        raise _damaged_report(corpus)
    return report


def _damaged_report(corpus: Path) -> CorpusError:
    return CorpusError(f"{corpus / REPORT_FILE} is damaged; build the corpus again")


def _without_documents(corpus: Path, split: str) -> str:
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
