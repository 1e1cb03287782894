"""Checks the pages of a Parquet file's columns before a library unpacks them.

A page's header says how large it is unpacked, and the library allocates that. A few bytes can stand
for gigabytes in three ways: a page that compresses well, a dictionary entry repeated by many rows,
and a list of very many items. Called by :mod:`training.corpus.readers.records.parquet_rows`.

Source: the Parquet format (``PageHeader`` in parquet.thrift) and Thrift's compact protocol.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_PAGE_BYTES = 256 << 20
MAX_LIST_ITEMS = 5_000_000  # of a column of lists in one row group
DELTA_BYTE_ARRAY = 7  # the encoding in which values share prefixes
_MAX_DEPTH = 8
# Fields of PageHeader, and those of its data page headers (version 1 and 2).
_UNPACKED_SIZE, _PACKED_SIZE, _DATA_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_V2 = 2, 3, 5, 7, 8
_N_VALUES, _ENCODING, _ENCODING_V2 = 1, 2, 4
_TRUE, _FALSE, _BYTE, _I64, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 6, 7, 8, 9, 10, 12
_LONG_LIST = 15


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a page's header says."""

    unpacked_bytes: int
    n_values: int  # 0 for a dictionary
    encoding: int


def iterate_pages(chunk: bytes) -> Iterator[Page]:
    """Yields the pages of a column chunk.

    Raises:
        ValueError: A header is damaged, or a page implausibly large.
    """
    position = 0
    while position < len(chunk):
        reader = _CompactReader(chunk, position)
        header = reader.read_struct(_MAX_DEPTH)
        packed, unpacked = header.get(_PACKED_SIZE), header.get(_UNPACKED_SIZE)
        if not isinstance(packed, int) or not isinstance(unpacked, int) or packed < 0:
            raise ValueError("a page has no size")
        if not 0 <= unpacked <= MAX_PAGE_BYTES:
            raise ValueError(f"a page unpacks to {unpacked} bytes")
        v1, v2 = (_as_struct(header.get(key)) for key in (_DATA_PAGE, _DATA_PAGE_V2))
        yield Page(
            unpacked_bytes=unpacked,
            n_values=int(v1.get(_N_VALUES) or v2.get(_N_VALUES) or 0),
            encoding=int(v1.get(_ENCODING) or v2.get(_ENCODING_V2) or 0),
        )
        position = reader.position + packed


def _as_struct(value: object) -> dict[int, Any]:
    return value if isinstance(value, dict) else {}


class _CompactReader:
    """Reads a Thrift struct; whole numbers and structs are kept, all else is skipped."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self.position = position

    def read_struct(self, depth: int) -> dict[int, Any]:
        """Returns the fields by number."""
        if depth == 0:
            raise ValueError("a page header is nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._read_byte():
            number = number + (head >> 4) if head >> 4 else self._read_number()
            fields[number] = self._read_value(head & 15, depth - 1)
        return fields

    def _read_value(self, kind: int, depth: int) -> Any:
        if kind in {_TRUE, _FALSE}:
            return None
        if kind == _BYTE:
            return self._skip(1)
        if kind <= _I64:
            return self._read_number()
        if kind == _DOUBLE:
            return self._skip(8)
        if kind == _BINARY:
            return self._skip(self._read_varint())
        if kind in {_LIST, _SET}:
            return self._skip_list(depth)
        if kind == _STRUCT:
            return self.read_struct(depth)
        raise ValueError("a page header has a field of an unknown kind")

    def _skip_list(self, depth: int) -> None:
        head = self._read_byte()
        size = self._read_varint() if head >> 4 == _LONG_LIST else head >> 4
        if depth == 0 or size > len(self._data) - self.position:
            raise ValueError("a page header has a list that is too long")
        for _ in range(size):
            kind = head & 15
            self._skip(1) if kind in {_TRUE, _FALSE} else self._read_value(kind, depth - 1)

    def _skip(self, n_bytes: int) -> None:
        self.position += n_bytes
        if self.position > len(self._data):
            raise ValueError("a page header is cut off")

    def _read_byte(self) -> int:
        self._skip(1)
        return self._data[self.position - 1]

    def _read_varint(self) -> int:
        value = shift = 0
        while (byte := self._read_byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:  # noqa: PLR2004 - the longest number has 64 bits
                raise ValueError("a page header has a number that is too long")
        return value | byte << shift

    def _read_number(self) -> int:
        value = self._read_varint()
        return value >> 1 ^ -(value & 1)
