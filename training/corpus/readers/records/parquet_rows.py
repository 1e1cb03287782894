"""Reads the rows of a Parquet file, of which only the columns that records have are touched.

Before a row group is read, the pages of these columns are checked, and as few rows are unpacked at
once as keep the memory bounded. Text is passed on as bytes, so that what is not UTF-8 is seen and
dropped later. Called by :mod:`training.corpus.readers.records.record_slices`.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from training.corpus.config import RecordFields
from training.corpus.readers.reading_limits import ReadingBudget
from training.corpus.readers.records.parquet_pages import (
    DELTA_BYTE_ARRAY,
    MAX_LIST_ITEMS,
    iterate_pages,
)
from training.corpus.readers.records.record_parsing import MAX_LICENCES, STATED_HASH
from training.foundation.errors import CorpusError
from training.foundation.foreign_text import path_text

BATCH_BYTES = 32 << 20  # unpacked at once, unless a single value has more
MAX_BATCH_ROWS = 256
ROW_BYTES = 512  # that a row counts at least
MAX_LIST_BYTES = 1 << 20  # of the lists in a batch
COLUMNS_NAMED = 8
MAX_TYPE_CHARS = 30


def iterate_parquet_rows(
    file: IO[bytes],
    path: Path | str,
    fields: RecordFields,
    budget: ReadingBudget,
    *,
    part: tuple[int, int] = (0, 1),
    n_read: int = 0,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields how many rows were read, and the last one as a mapping of the columns in ``fields``.

    Args:
        file: The file, which can seek.
        path: Its name, for messages.
        fields: What the columns are called.
        budget: Counts what comes out.
        part: Of how many parts which one to read, from 0: the row groups are dealt out, or the rows
            if there are fewer groups than parts.
        n_read: How many rows of the part to pass over.

    Raises:
        CorpusError: No column holds text.
        Exception: Whatever the library raises if the file is damaged.
    """
    chunks = _ChunkCache(file)
    parquet = pq.ParquetFile(chunks)
    schema = parquet.schema_arrow
    wanted = {STATED_HASH, *itertools.chain.from_iterable(astuple(fields))}
    columns = {name for name in wanted if _is_readable(schema, name)}
    if not columns.intersection(fields.text):
        named = [schema.field(i) for i in range(min(len(schema), COLUMNS_NAMED))]
        found = ", ".join(f"{field.name} ({str(field.type)[:MAX_TYPE_CHARS]})" for field in named)
        raise CorpusError(
            f"{path_text(path)} has no column of text: found {found or 'none'}, expected"
            f" {' or '.join(fields.text)}; set sources.record_fields.text"
        )
    lists = [name for name in columns if _is_list(schema.field(name).type)]
    if lists:
        parquet = pq.ParquetFile(chunks, read_dictionary=_find_leaves(parquet, lists))
    index, count = part
    deals_rows = parquet.num_row_groups < count
    first, stride = (0, 1) if deals_rows else part
    row = 0
    for group in range(first, parquet.num_row_groups, stride):
        n_rows = max(0, parquet.metadata.row_group(group).num_rows)
        if row + n_rows <= n_read:  # known without reading it
            row += n_rows
            continue
        n_rows = chunks.load(parquet, group, columns, budget)
        batches = parquet.iter_batches(
            n_rows, row_groups=[group], columns=sorted(columns), use_threads=False
        )
        for batch in batches:
            if row + len(batch) <= n_read:
                row += len(batch)
                continue
            for values in _iterate_batch(batch, budget):
                row += 1
                if row > n_read and (not deals_rows or (row - 1) % count == index):
                    yield row, values


def _iterate_batch(batch: pa.RecordBatch, budget: ReadingBudget) -> Iterator[dict[str, Any]]:
    names = batch.schema.names
    for values in zip(*map(_convert, batch.columns), strict=True):
        n_bytes = sum(len(value) for value in values if isinstance(value, bytes))
        budget.add_bytes(max(n_bytes, ROW_BYTES))
        yield dict(zip(names, values, strict=True))


def _is_readable(schema: pa.Schema, name: str) -> bool:
    """Returns whether a column has values that records have: text, numbers, lists of text."""
    if schema.get_field_index(name) < 0:  # missing, or there twice
        return False
    kind = schema.field(name).type
    inner = kind.value_type if _is_list(kind) else kind
    is_number = bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
    return _is_text(inner) or is_number


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    names = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view")
    return any(getattr(pa.types, f"is_{name}")(kind) for name in names)


def _find_leaves(parquet: pq.ParquetFile, names: Sequence[str]) -> list[str]:
    """Returns the paths of the columns' leaves, such as ``licenses.list.element``."""
    paths = [parquet.schema.column(i).path for i in range(len(parquet.schema))]
    return [path for path in paths if path.split(".")[0] in names]


def _convert(column: pa.Array) -> list[Any]:
    """Returns a column's values: text as bytes, which may not be UTF-8."""
    if _is_list(column.type):
        return _convert_lists(column)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    values: list[Any] = (_to_bytes(column) if _is_text(column.type) else column).to_pylist()
    return values


def _convert_lists(column: pa.Array) -> list[Any]:
    """Returns lists of text, one item more than a record may have; None if they are too long."""
    column = pc.list_slice(column, 0, MAX_LICENCES + 1)
    values = column.flatten()
    if pa.types.is_dictionary(values.type):
        lengths = pc.take(pc.binary_length(_to_bytes(values.dictionary)), values.indices)
    else:
        lengths = pc.binary_length(_to_bytes(values))
    if (pc.sum(lengths).as_py() or 0) > MAX_LIST_BYTES:
        return [None] * len(column)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    items = iter(_to_bytes(values).to_pylist())
    counts = pc.list_value_length(column).to_pylist()
    return [None if n is None else list(itertools.islice(items, n)) for n in counts]


def _to_bytes(column: pa.Array) -> pa.Array:
    return column.cast(pa.large_binary())


class _ChunkCache:
    """A file for the library, which holds the checked column chunks of one row group.

    The library reads the very bytes that were checked, and a remote file is read once.
    """

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        self._position = 0
        self._chunks: dict[int, bytes] = {}

    def load(
        self, parquet: pq.ParquetFile, group: int, columns: set[str], budget: ReadingBudget
    ) -> int:
        """Checks the chunks of a row group, and returns how many rows to unpack at once.

        Raises:
            ValueError: One is damaged, or would unpack to too much.
        """
        self._chunks.clear()
        metadata = parquet.metadata.row_group(group)
        largest = 1
        for index in range(metadata.num_columns):
            chunk = metadata.column(index)
            if chunk.path_in_schema.split(".")[0] in columns:
                is_list = parquet.schema.column(index).max_repetition_level > 0
                largest += self._check(chunk, budget, is_list=is_list)
        return max(1, min(MAX_BATCH_ROWS, BATCH_BYTES // largest))

    def _check(self, chunk: Any, budget: ReadingBudget, *, is_list: bool) -> int:
        """Loads a chunk, and returns the size of its largest page."""
        start, n_bytes = chunk.data_page_offset, chunk.total_compressed_size
        if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < start:
            start = chunk.dictionary_page_offset
        if start < 0 or n_bytes < 0 or start + n_bytes > self._size:
            raise ValueError("a column lies outside the file")
        self._file.seek(start)
        data = self._chunks[start] = self._file.read(n_bytes)
        largest = n_items = 0
        for page in iterate_pages(data):
            budget.add_bytes(page.unpacked_bytes)
            largest = max(largest, page.unpacked_bytes)
            n_items += max(0, page.n_values)
            if is_list and (n_items > MAX_LIST_ITEMS or page.encoding == DELTA_BYTE_ARRAY):
                raise ValueError("a column of lists would unpack to too much")
        return largest

    def read(self, n_bytes: int = -1) -> bytes:
        """Returns the next bytes, from a loaded chunk if they are of one."""
        n_bytes = self._size - self._position if n_bytes < 0 else n_bytes
        data = self._find(self._position, n_bytes)
        if data is None:
            self._file.seek(self._position)
            data = self._file.read(n_bytes)
        self._position += len(data)
        return data

    def _find(self, start: int, n_bytes: int) -> bytes | None:
        for first, chunk in self._chunks.items():
            if first <= start and start + n_bytes <= first + len(chunk):
                return chunk[start - first : start - first + n_bytes]
        return None

    def seek(self, offset: int, whence: int = 0) -> int:
        """Moves to an offset from the start (0), from here (1) or from the end (2)."""
        self._position = offset + {0: 0, 1: self._position, 2: self._size}[whence]
        return self._position

    def tell(self) -> int:
        """Returns the offset of the next byte."""
        return self._position

    def seekable(self) -> bool:
        """Returns True."""
        return True

    def readable(self) -> bool:
        """Returns True."""
        return True

    def close(self) -> None:
        """Leaves the file open: its owner closes it."""
