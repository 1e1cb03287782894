"""Unpacks gzip, bzip2, xz and zstd as a stream, in bounded pieces and within a budget.

The standard library's file objects decompress whole blocks at once, and a few kilobytes of bzip2
hold gigabytes. Here no step yields more than a piece. Called by the readers of archives and
records.
"""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Protocol

import pyarrow as pa

from training.corpus.readers.reading_limits import ReadingBudget

PIECE_BYTES = 1 << 16
MAX_XZ_MEMORY_BYTES = 128 << 20  # the highest preset of xz needs 65 MiB
GZIP, BZIP2, XZ, LZMA, ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x5d\0\0", b"\x28\xb5\x2f\xfd"


class Decompressor(Protocol):
    """What :class:`bz2.BZ2Decompressor` and :class:`lzma.LZMADecompressor` have in common."""

    @property
    def eof(self) -> bool:
        """Whether the end of the compressed stream was reached."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether more can only come from more input."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What follows the compressed stream."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Returns at most ``max_length`` bytes."""
        ...


class Inflater:
    """:func:`zlib.decompressobj` with the interface of the others.

    Args:
        window_bits: 31 for gzip, -15 for bare deflate, as zlib defines them.
    """

    def __init__(self, window_bits: int) -> None:
        self._zlib = zlib.decompressobj(window_bits)

    @property
    def eof(self) -> bool:
        """Whether the end of the compressed stream was reached."""
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        """Whether more can only come from more input."""
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        """What follows the compressed stream."""
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Returns at most ``max_length`` bytes."""
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


class Unpacked(io.RawIOBase):
    """The content of a compressed file; several streams in a row are one.

    Args:
        packed: The compressed file.
        create: Creates a decompressor for a stream; None if no other stream is expected.
        budget: Counts what comes out; None if the caller does.

    Raises:
        EOFError: While reading: the file ends within a stream.
    """

    def __init__(
        self,
        packed: IO[bytes],
        create: Callable[[], Decompressor | None],
        budget: ReadingBudget | None,
    ) -> None:
        self._packed = packed
        self._create = create
        self._budget = budget
        self._decompressor: Decompressor | None = None
        self._input = b""  # not given to a decompressor yet

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fills a part of ``buffer`` and returns its length, 0 at the end."""
        while self._open_stream():
            piece = self._decompress(min(len(buffer), PIECE_BYTES))
            if piece:
                buffer[: len(piece)] = piece
                if self._budget is not None:
                    self._budget.add_bytes(len(piece))
                return len(piece)
        return 0

    def _open_stream(self) -> bool:
        """Returns whether there is a stream to read from: this one, or the next."""
        if self._decompressor is not None and not self._decompressor.eof:
            return True
        padding = b"" if self._decompressor is None else b"\0"
        if self._decompressor is not None:
            self._input = self._decompressor.unused_data.lstrip(padding)
        while not self._input:
            piece = self._packed.read(PIECE_BYTES)
            if not piece:
                return False
            self._input = piece.lstrip(padding) if padding else piece
        self._decompressor = self._create()
        return self._decompressor is not None

    def _decompress(self, n_bytes: int) -> bytes:
        decompressor = self._decompressor
        assert decompressor is not None, "a stream is open"
        if decompressor.needs_input and not self._input:
            self._input = self._packed.read(PIECE_BYTES)
            if not self._input:
                piece = decompressor.decompress(b"", n_bytes)
                if not piece and not decompressor.eof:
                    raise EOFError("it ends within compressed data")
                return piece
        given, self._input = (self._input, b"") if decompressor.needs_input else (b"", self._input)
        return decompressor.decompress(given, n_bytes)


class _Counted(io.RawIOBase):
    """A file that is read as it is; its bytes count against the budget."""

    def __init__(self, file: IO[bytes], budget: ReadingBudget) -> None:
        self._file = file
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._file.read(min(len(buffer), PIECE_BYTES))
        buffer[: len(piece)] = piece
        self._budget.add_bytes(len(piece))
        return len(piece)


def open_unpacked(packed: IO[bytes], budget: ReadingBudget) -> io.BufferedReader:
    """Returns the content of a file, whichever of the formats it is in; by default as it is."""
    head = packed.read(len(XZ))
    packed.seek(0)
    if head.startswith(ZSTD):
        stream = pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), "zstd")
        return io.BufferedReader(_Counted(stream, budget), PIECE_BYTES)
    create = find_decompressor(head)
    raw = _Counted(packed, budget) if create is None else Unpacked(packed, create, budget)
    return io.BufferedReader(raw, PIECE_BYTES)


def find_decompressor(head: bytes) -> Callable[[], Decompressor] | None:
    """Returns what decompresses a file that begins with ``head``; None if it is not compressed."""
    if head.startswith(GZIP):
        return lambda: Inflater(31)
    if head.startswith(BZIP2):
        return bz2.BZ2Decompressor
    if head.startswith((XZ, LZMA)):
        return lambda: lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=MAX_XZ_MEMORY_BYTES)
    return None


def skip(stream: IO[bytes], n_bytes: int) -> None:
    """Reads over ``n_bytes``.

    Raises:
        EOFError: The stream ends earlier.
    """
    while n_bytes > 0:
        piece = stream.read(min(n_bytes, PIECE_BYTES))
        if not piece:
            raise EOFError("it ends within a member")
        n_bytes -= len(piece)
