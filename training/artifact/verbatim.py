"""The index that finds the training document which a suggestion repeats verbatim.

Training text is cut into consecutive grams of ``GRAM`` tokens, and for each the index keeps 28 bits
of a hash and its document. A text is looked up at every offset. Two consecutive grams of it that
are found in the same document are a repetition of at least ``2 * GRAM`` tokens; any repetition of
``LEAST_TOKENS`` is found. A single gram is ignored because it may be a chance match. The text
itself cannot be recovered from the index.

``VERBATIM_FILE`` in an artifact's directory is safetensors: ``counts`` of entries per bucket (the
first 20 bits), their other 8 bits ``rests``, ``documents``, and a compressed ``table`` of these.
The method is winnowing without its selection of grams. Source: Schleimer et al. 2003,
"Winnowing: local algorithms for document fingerprinting".
"""

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from training.artifact.code_reference import CodeReference
from training.foundation.errors import ArtifactError
from training.foundation.foreign_text import parse_json

VERBATIM_FILE = "verbatim.safetensors"
GRAM = 20
LEAST_TOKENS = 60  # 3 * GRAM - 1 would do: it contains two whole grams at any offset

_BUCKET_BITS, _REST_BITS = 20, 8
_MAX_IN_BUCKET = 255
_MAX_TABLE_BYTES = 256 << 20
_PRIME = np.uint64(0x9E3779B97F4A7C15)
Hashes = npt.NDArray[np.uint64]


def gram_hashes(ids: npt.NDArray[np.int64]) -> Hashes:
    """Returns the hash of the gram at each offset, ``[T - GRAM + 1]`` for ids ``[T]``."""
    n = max(0, len(ids) - GRAM + 1)
    mixed = np.zeros(n, dtype=np.uint64)
    with np.errstate(over="ignore"):  # modulo 2^64 is intended
        for offset in range(GRAM):
            mixed = mixed * _PRIME + ids[offset : offset + n].astype(np.uint64) + np.uint64(1)
            mixed ^= mixed >> np.uint64(29)
        mixed *= _PRIME
    return mixed ^ (mixed >> np.uint64(32))


class VerbatimIndex:
    """Finds documents by their grams.

    Args:
        counts: Entries of each bucket, ``[2^20]``.
        rests: The other bits of each entry, in bucket order.
        documents: The row of ``table`` of each entry.
        table: Package, path and licence of each document.
    """

    def __init__(
        self,
        counts: npt.NDArray[np.uint8],
        rests: npt.NDArray[np.uint8],
        documents: npt.NDArray[Any],
        table: Sequence[Mapping[str, str]],
    ) -> None:
        self._counts = counts
        self._rests = rests
        self._documents = documents
        self._table = table
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])

    def __len__(self) -> int:
        return len(self._rests)

    @property
    def packages(self) -> frozenset[str]:
        """The packages of its documents."""
        return frozenset(document["package"] for document in self._table)

    @classmethod
    def build(
        cls,
        hashes: Hashes,
        documents: npt.NDArray[np.int64],
        table: Sequence[Mapping[str, str]],
    ) -> "VerbatimIndex":
        """Builds an index from grams and their documents, as rows of ``table``.

        A gram that occurs twice in a document is kept once; overfull buckets are truncated.
        """
        return _assemble(hashes >> np.uint64(64 - _BUCKET_BITS - _REST_BITS), documents, table)

    def join(self, other: "VerbatimIndex") -> "VerbatimIndex":
        """Returns an index of the texts of both, whose ids must come from the same tokenizer.

        A document that both have (equal package, path and licence) is one document.
        """
        short, documents, table = self.list_entries()
        other_short, other_documents, other_table = other.list_entries()
        joined = list(table)
        row_of = {tuple(sorted(row.items())): number for number, row in enumerate(joined)}
        rows = np.empty(len(other_table), dtype=np.int64)
        for number, document in enumerate(other_table):
            rows[number] = row_of.setdefault(tuple(sorted(document.items())), len(joined))
            if rows[number] == len(joined):
                joined.append(document)
        return _assemble(
            np.concatenate([short, other_short]),
            np.concatenate([documents, rows[other_documents]]),
            joined,
        )

    def list_entries(self) -> tuple[Hashes, npt.NDArray[np.int64], Sequence[Mapping[str, str]]]:
        """Returns the first 28 bits of each gram's hash, its document's row, and these rows."""
        buckets = np.repeat(np.arange(len(self._counts), dtype=np.uint64), self._counts)
        short = buckets << np.uint64(_REST_BITS) | self._rests.astype(np.uint64)
        return short, self._documents.astype(np.int64), self._table

    def to_bytes(self) -> bytes:
        """Returns the content of ``VERBATIM_FILE``."""
        packed = zlib.compress(json.dumps(self._table).encode(), 9)
        tensors = {
            "counts": self._counts,
            "rests": self._rests,
            "documents": self._documents,
            "table": np.frombuffer(packed, dtype=np.uint8),
        }
        return save(tensors)

    @classmethod
    def read(cls, path: Path) -> "VerbatimIndex":
        """Reads an index.

        Raises:
            ArtifactError: It cannot be read or is inconsistent.
        """
        try:
            tensors = load(path.read_bytes())
            table = _decompress_table(tensors["table"].tobytes())
            counts, rests, documents = (tensors[n] for n in ("counts", "rests", "documents"))
            is_sound = (
                counts.dtype == rests.dtype == np.uint8
                and counts.shape == (1 << _BUCKET_BITS,)
                and rests.shape == documents.shape == (int(counts.sum(dtype=np.int64)),)
                and documents.dtype in {np.dtype(np.uint16), np.dtype(np.uint32)}
                and (not documents.size or int(documents.max()) < len(table))
            )
        except (OSError, SafetensorError, KeyError, ValueError, zlib.error) as error:
            raise ArtifactError(f"cannot read {path} ({error}); copy it again") from error
        if not is_sound:
            raise ArtifactError(f"{path} is inconsistent; copy it again")
        return cls(counts, rests, documents, table)

    def find_reference(
        self, ids: Sequence[int], is_own: Callable[[Sequence[int]], bool] | None = None
    ) -> CodeReference | None:
        """Returns the document that ``ids`` repeat most, or None if they repeat too little.

        Args:
            ids: The text.
            is_own: Whether the user has a gram already; such grams do not count.
        """
        if len(ids) < 2 * GRAM:
            return None
        found: dict[int, dict[int, int]] = {}  # for each document, hashes by offset
        for place, hashed in enumerate(gram_hashes(np.asarray(ids, dtype=np.int64)).tolist()):
            if is_own is not None and is_own(ids[place : place + GRAM]):
                continue
            for document in self._documents_with(hashed):
                found.setdefault(document, {})[place] = hashed
        best, most = -1, 1
        for document, places in found.items():
            length = max(_count_consecutive(places, place) for place in places)
            if length > most:
                best, most = document, length
        if best < 0:
            return None
        about = self._table[best]
        return CodeReference(
            package=about.get("package", ""),
            path=about.get("path", ""),
            licence=about.get("licence", ""),
            n_tokens=most * GRAM,
        )

    def _documents_with(self, hashed: int) -> list[int]:
        bucket = hashed >> (64 - _BUCKET_BITS)
        rest = hashed >> (64 - _BUCKET_BITS - _REST_BITS) & ((1 << _REST_BITS) - 1)
        start, end = int(self._starts[bucket]), int(self._starts[bucket + 1])
        return [
            int(self._documents[at]) for at in range(start, end) if int(self._rests[at]) == rest
        ]


def _assemble(
    short: Hashes, documents: npt.NDArray[np.int64], table: Sequence[Mapping[str, str]]
) -> VerbatimIndex:
    """Returns the index of grams by the first bits of their hashes and their documents."""
    order = np.lexsort((documents, short))
    short, documents = short[order], documents[order]
    is_new = np.ones(len(short), dtype=bool)
    is_new[1:] = (short[1:] != short[:-1]) | (documents[1:] != documents[:-1])
    short, documents = short[is_new], documents[is_new]
    buckets = (short >> np.uint64(_REST_BITS)).astype(np.int64)
    places = np.arange(len(buckets)) - np.searchsorted(buckets, buckets)
    fits = places < _MAX_IN_BUCKET
    short, documents, buckets = short[fits], documents[fits], buckets[fits]
    used, rows = np.unique(documents, return_inverse=True)
    return VerbatimIndex(
        np.bincount(buckets, minlength=1 << _BUCKET_BITS).astype(np.uint8),
        (short & np.uint64((1 << _REST_BITS) - 1)).astype(np.uint8),
        rows.astype(np.uint16 if len(used) <= 1 << 16 else np.uint32),
        [table[row] for row in used],
    )


def _count_consecutive(places: Mapping[int, int], first: int) -> int:
    """Returns how many distinct consecutive grams begin at an offset.

    A text that repeats itself has the same gram many times, which counts once.
    """
    grams = set()
    while first in places:
        grams.add(places[first])
        first += GRAM
    return len(grams)


def _decompress_table(packed: bytes) -> list[Mapping[str, str]]:
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(packed, _MAX_TABLE_BYTES)
    if unpacker.unconsumed_tail:
        raise ValueError("its table is implausibly large")
    table = parse_json(data, max_bytes=_MAX_TABLE_BYTES)
    if not isinstance(table, list) or not all(isinstance(row, dict) for row in table):
        raise ValueError("its table is not a list of mappings")
    if not all(isinstance(value, str) for row in table for value in row.values()):
        raise ValueError("its table holds something other than text")
    return table
