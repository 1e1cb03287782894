"""Reads records of source files: JSON lines (plain, gzip or zstd) and Parquet, as a stream.

BigQuery exports, Hub datasets and other people's corpora come so: one file a record, with its own
repository and licence. A damaged line is a counted drop; only a file that cannot be read at all is
an error. Called by :mod:`training.corpus.extraction.source_reader`.
"""

import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from training.corpus.config import RecordFields
from training.corpus.licences import UNKNOWN, spdx_of
from training.foundation.errors import CorpusError

SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz", ".json.zst", ".jsonl.zst", ".parquet")
DAMAGED_RECORD = "damaged record"
MAX_LINE_BYTES = 64 << 20
_BATCH_ROWS = 256


@dataclass(frozen=True, kw_only=True)
class Record:
    """One source file with what its record tells; ``problem`` says why it has no data."""

    package: str = ""
    version: str = ""
    path: str = ""
    licence: str = UNKNOWN
    data: bytes = b""
    facts: Mapping[str, float] = field(default_factory=dict)
    problem: str | None = None


def read_records(path: Path, fields: RecordFields) -> Iterator[Record]:
    """Yields a file's records in order.

    Raises:
        CorpusError: The file is damaged or of an unknown kind.
    """
    try:
        rows = _parquet_rows(path) if path.suffix == ".parquet" else _json_rows(path)
        for number, row in enumerate(rows, start=1):
            yield _record(row, fields, number)
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        raise CorpusError(
            f"{path} is damaged ({error}); fetch it again or remove it from sources.records"
        ) from error


def read_hub(name: str, fields: RecordFields) -> Iterator[Record]:
    """Yields the records of a Hub dataset, ``NAME``, ``NAME:CONFIG`` or ``NAME:CONFIG:SPLIT``.

    Raises:
        CorpusError: It cannot be had.
    """
    from datasets import load_dataset  # noqa: PLC0415 - slow to import, seldom wanted

    dataset, config, split = (*name.split(":"), "", "")[:3]
    try:
        rows = load_dataset(dataset, config or None, split=split or "train", streaming=True)
        for number, row in enumerate(rows, start=1):
            yield _record(row, fields, number)
    except (OSError, ValueError, LookupError) as error:
        raise CorpusError(
            f"cannot read the dataset {name} ({error}); correct sources.hub, or try again later"
        ) from error


def _json_rows(path: Path) -> Iterator[object]:
    with closing(_opened(path)) as file:
        while line := file.readline(MAX_LINE_BYTES):
            if not line.endswith(b"\n") and len(line) >= MAX_LINE_BYTES:
                while line and not line.endswith(b"\n"):  # pass over the rest of it
                    line = file.readline(MAX_LINE_BYTES)
                yield None
            elif line.strip():
                try:
                    yield json.loads(line)
                except (ValueError, RecursionError):
                    yield None


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    if path.suffix == ".zst":
        stream = pa.input_stream(str(path), compression="zstd")  # tells a frame that was cut off
        return io.BufferedReader(stream)
    return path.open("rb")


def _parquet_rows(path: Path) -> Iterator[object]:
    for batch in pq.ParquetFile(path).iter_batches(_BATCH_ROWS):
        yield from batch.to_pylist()


def _record(row: object, fields: RecordFields, number: int) -> Record:
    if not isinstance(row, dict):
        return Record(path=f"record {number}", problem=DAMAGED_RECORD)
    path = str(_first(row, fields.path) or f"record_{number}.py")
    content = _first(row, fields.text)
    if not isinstance(content, (str, bytes)):
        return Record(path=path, problem=DAMAGED_RECORD)
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    return Record(
        package=str(_first(row, fields.package) or ""),
        version=str(_first(row, fields.version) or ""),
        path=path,
        licence=_licence(_first(row, fields.licence)),
        data=data,
        facts={"stars": float(stars)} if (stars := _number(_first(row, fields.stars))) else {},
    )


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _licence(value: object) -> str:
    """Of a list of licences all must be allowed: nobody says whether they are alternatives."""
    if isinstance(value, (list, tuple)):
        return " AND ".join(sorted({spdx_of(str(v)) for v in value})) or UNKNOWN
    return spdx_of(value) if isinstance(value, str) and value else UNKNOWN


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0.0
