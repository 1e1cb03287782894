"""Streams records of source files from JSON lines (plain, gzip or zstd), Parquet and the Hub.

BigQuery exports, Hub datasets and other corpora use this form: one file per record, with its own
repository and licence. A damaged line is a counted drop; only a file that cannot be read at all is
an error. Called by :mod:`training.corpus.readers.source_contents`.
"""

import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from training.corpus.config import RecordFields
from training.corpus.licences import UNKNOWN, normalize_licence
from training.corpus.readers.source_file import FileOrigin, SourceFile
from training.foundation.errors import CorpusError

SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz", ".json.zst", ".jsonl.zst", ".parquet")
DAMAGED_RECORD = "damaged record"
MAX_LINE_BYTES = 64 << 20
_BATCH_ROWS = 256


def read_records(path: Path, fields: RecordFields, *, package: str) -> Iterator[SourceFile]:
    """Yields a file's records in order.

    Args:
        path: The file.
        fields: What the records' fields are called.
        package: The package of records that name none.

    Raises:
        CorpusError: The file is damaged or of an unknown kind.
    """
    try:
        rows = _parquet_rows(path) if path.suffix == ".parquet" else _json_rows(path)
        for number, row in enumerate(rows, start=1):
            yield _parse_record(row, fields, number, package)
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        raise CorpusError(
            f"{path} is damaged ({error}); fetch it again or remove it from sources.records"
        ) from error


def read_hub(name: str, fields: RecordFields) -> Iterator[SourceFile]:
    """Yields the records of a Hub dataset, ``NAME``, ``NAME:CONFIG`` or ``NAME:CONFIG:SPLIT``.

    Raises:
        CorpusError: The dataset cannot be read.
    """
    from datasets import load_dataset  # noqa: PLC0415 - slow to import, rarely needed

    dataset, config, split = (*name.split(":"), "", "")[:3]
    try:
        rows = load_dataset(dataset, config or None, split=split or "train", streaming=True)
        for number, row in enumerate(rows, start=1):
            yield _parse_record(row, fields, number, name)
    except (OSError, ValueError, LookupError) as error:
        raise CorpusError(
            f"cannot read the dataset {name} ({error}); correct sources.hub, or try again later"
        ) from error


def _json_rows(path: Path) -> Iterator[object]:
    with closing(_open(path)) as file:
        while line := file.readline(MAX_LINE_BYTES):
            if not line.endswith(b"\n") and len(line) >= MAX_LINE_BYTES:
                while line and not line.endswith(b"\n"):  # skip the rest of the line
                    line = file.readline(MAX_LINE_BYTES)
                yield None
            elif line.strip():
                try:
                    yield json.loads(line)
                except (ValueError, RecursionError):
                    yield None


def _open(path: Path) -> IO[bytes] | gzip.GzipFile:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    if path.suffix == ".zst":
        stream = pa.input_stream(str(path), compression="zstd")  # detects a truncated frame
        return io.BufferedReader(stream)
    return path.open("rb")


def _parquet_rows(path: Path) -> Iterator[object]:
    for batch in pq.ParquetFile(path).iter_batches(_BATCH_ROWS):
        yield from batch.to_pylist()


def _parse_record(row: object, fields: RecordFields, number: int, package: str) -> SourceFile:
    unknown = FileOrigin(name=package, package=package, version="", licence=UNKNOWN)
    if not isinstance(row, dict):
        return SourceFile(path=f"record {number}", problem=DAMAGED_RECORD, origin=unknown)
    path = str(_first(row, fields.path) or f"record_{number}.py")
    content = _first(row, fields.text)
    if not isinstance(content, (str, bytes)):
        return SourceFile(path=path, problem=DAMAGED_RECORD, origin=unknown)
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    package = str(_first(row, fields.package) or "") or package
    stars = _parse_number(_first(row, fields.stars))
    origin = FileOrigin(
        name=package,
        package=package,
        version=str(_first(row, fields.version) or ""),
        licence=_parse_licence(_first(row, fields.licence)),
        facts={"stars": stars} if stars else {},
    )
    return SourceFile(path=path, data=data, origin=origin)


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _parse_licence(value: object) -> str:
    """Returns an SPDX expression; all of a list must be allowed, for they may not be choices."""
    if isinstance(value, (list, tuple)):
        return " AND ".join(sorted({normalize_licence(str(v)) for v in value})) or UNKNOWN
    return normalize_licence(value) if isinstance(value, str) and value else UNKNOWN


def _parse_number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0.0
