"""The index that tells whose text a suggestion repeats, word for word.

Training text is cut into grams of ``GRAM`` tokens that follow each other without a gap, and each is
kept as 28 bits of a hash with the number of its document. A text is looked up at every one of its
places. Two grams that follow each other in it, found one behind the other in one document, are a
repetition: at least ``2 * GRAM`` tokens long, and every one of ``LEAST_TOKENS`` is found. A single
gram means nothing, it may be chance. The text itself cannot be had back from the index.

``VERBATIM_FILE`` in an artifact's directory is safetensors: ``counts`` of entries a bucket (the
first 20 bits), their other 8 bits ``rests``, ``documents``, and a ``table`` of these, compressed.
The method is that of winnowing, without its choice of grams. Source: Schleimer et al. 2003,
"Winnowing: local algorithms for document fingerprinting".
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from training.artifact.code_reference import CodeReference
from training.foundation.errors import ArtifactError

VERBATIM_FILE = "verbatim.safetensors"
GRAM = 20
LEAST_TOKENS = 60  # 3 * GRAM - 1 would do: two whole grams lie in it wherever it begins

_BUCKET_BITS, _REST_BITS = 20, 8
_MOST_IN_BUCKET = 255
_MOST_TABLE_BYTES = 256 << 20
_PRIME = np.uint64(0x9E3779B97F4A7C15)
Hashes = npt.NDArray[np.uint64]


def gram_hashes(ids: npt.NDArray[np.int64]) -> Hashes:
    """Returns the hash of the gram at each place, ``[T - GRAM + 1]`` of ids ``[T]``."""
    n = max(0, len(ids) - GRAM + 1)
    mixed = np.zeros(n, dtype=np.uint64)
    with np.errstate(over="ignore"):  # modulo 2^64 is what is wanted
        for offset in range(GRAM):
            mixed = mixed * _PRIME + ids[offset : offset + n].astype(np.uint64) + np.uint64(1)
            mixed ^= mixed >> np.uint64(29)
        mixed *= _PRIME
    return mixed ^ (mixed >> np.uint64(32))


class VerbatimIndex:
    """Finds documents by grams.

    Args:
        counts: Entries of each bucket, ``[2^20]``.
        rests: The other bits of each entry, in order of buckets.
        documents: The row of ``table`` of each entry.
        table: What is known of each document: package, path, licence.
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

    @classmethod
    def build(
        cls,
        hashes: Hashes,
        documents: npt.NDArray[np.int64],
        table: Sequence[Mapping[str, str]],
    ) -> "VerbatimIndex":
        """Makes an index of grams and the rows of ``table`` they are of.

        What stands twice in a document is kept once, and of an overfull bucket a part.
        """
        short = hashes >> np.uint64(64 - _BUCKET_BITS - _REST_BITS)
        order = np.lexsort((documents, short))
        short, documents = short[order], documents[order]
        is_new = np.ones(len(short), dtype=bool)
        is_new[1:] = (short[1:] != short[:-1]) | (documents[1:] != documents[:-1])
        short, documents = short[is_new], documents[is_new]
        buckets = (short >> np.uint64(_REST_BITS)).astype(np.int64)
        places = np.arange(len(buckets)) - np.searchsorted(buckets, buckets)
        fits = places < _MOST_IN_BUCKET
        short, documents, buckets = short[fits], documents[fits], buckets[fits]
        used, rows = np.unique(documents, return_inverse=True)
        return cls(
            np.bincount(buckets, minlength=1 << _BUCKET_BITS).astype(np.uint8),
            (short & np.uint64((1 << _REST_BITS) - 1)).astype(np.uint8),
            rows.astype(np.uint16 if len(used) <= 1 << 16 else np.uint32),
            [table[row] for row in used],
        )

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
        """Reads it.

        Raises:
            ArtifactError: It cannot be read, or does not hold together.
        """
        try:
            tensors = load(path.read_bytes())
            table = _unpacked(tensors["table"].tobytes())
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

    def source_of(self, ids: Sequence[int]) -> CodeReference | None:
        """Returns the document that repeats the most of ``ids``, None if none repeats enough."""
        if len(ids) < 2 * GRAM:
            return None
        found: dict[int, dict[int, int]] = {}  # of each document, hashes by their place
        for place, hashed in enumerate(gram_hashes(np.asarray(ids, dtype=np.int64)).tolist()):
            for document in self._documents_with(hashed):
                found.setdefault(document, {})[place] = hashed
        best, most = -1, 1
        for document, places in found.items():
            length = max(_run(places, place) for place in places)
            if length > most:
                best, most = document, length
        if best < 0:
            return None
        about = self._table[best]
        return CodeReference(
            package=str(about.get("package", "")),
            path=str(about.get("path", "")),
            licence=str(about.get("licence", "")),
            n_tokens=most * GRAM,
        )

    def _documents_with(self, hashed: int) -> list[int]:
        bucket = hashed >> (64 - _BUCKET_BITS)
        rest = hashed >> (64 - _BUCKET_BITS - _REST_BITS) & ((1 << _REST_BITS) - 1)
        start, end = int(self._starts[bucket]), int(self._starts[bucket + 1])
        return [
            int(self._documents[at]) for at in range(start, end) if int(self._rests[at]) == rest
        ]


def _run(places: Mapping[int, int], first: int) -> int:
    """Returns how many different grams follow each other from a place on.

    A text that goes in a circle has one gram over and over, which says no more than once.
    """
    grams = set()
    while first in places:
        grams.add(places[first])
        first += GRAM
    return len(grams)


def _unpacked(packed: bytes) -> list[Mapping[str, str]]:
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(packed, _MOST_TABLE_BYTES)
    if unpacker.unconsumed_tail:
        raise ValueError("its table is larger than any real one")
    table = json.loads(data)
    if not isinstance(table, list) or not all(isinstance(row, dict) for row in table):
        raise ValueError("its table is none")
    return table
