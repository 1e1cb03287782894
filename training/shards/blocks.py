"""The shard format: blocks of tokens on disk, and which document each token came from.

A shard folder holds, for each of the splits ``train`` and ``heldout``:

    SPLIT-00000.tokens.npy    unsigned integers [blocks, block_tokens], memory-mapped
    SPLIT-00000.pieces.npy    one record per piece: first token, document, split for infilling?
    SPLIT.documents.parquet   package, version, path, licence, sha256; row number = document
    shards.json               sizes, SHA-256 of each split, inputs (``ShardsMeta``); written last
    report.html               the corpus report, with tokens by package and licence

``ShardWriter`` writes it. ``BlockReader`` reads fixed-length blocks in a seeded order that is a
pure function of the position, so any number of processes sees the same order, however often they
are interrupted.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tokenize import TokenError
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from training.foundation.errors import CorpusError
from training.licensing.attribution import count_licences, list_packages, read_document_table
from training.shards.packing import Piece
from training.shards.shards_meta import META_FILE, ShardsMeta, read_meta

PIECE_DTYPE = np.dtype([("first_token", "<i8"), ("document", "<i4"), ("is_fim", "?")])
# What NumPy raises for a damaged file; its header is Python source.
_DAMAGE = (OSError, ValueError, EOFError, SyntaxError, TokenError, RecursionError, MemoryError)
UInt = npt.NDArray[np.unsignedinteger[Any]]


def tokens_file(folder: Path, split: str, number: int) -> Path:
    """Returns the path of a shard's tokens."""
    return folder / f"{split}-{number:05d}.tokens.npy"


def pieces_file(folder: Path, split: str, number: int) -> Path:
    """Returns the path of a shard's piece records."""
    return folder / f"{split}-{number:05d}.pieces.npy"


class ShardWriter:
    """Collects the blocks of one split and writes them as shards."""

    def __init__(
        self, folder: Path, split: str, *, block_tokens: int, blocks_per_shard: int, vocab_size: int
    ) -> None:
        self._folder = folder
        self._split = split
        self._block_tokens = block_tokens
        self._shard_tokens = block_tokens * blocks_per_shard
        self._dtype = np.uint16 if vocab_size <= 1 << 16 else np.uint32
        self._tokens: list[npt.NDArray[Any]] = []
        self._pieces: list[npt.NDArray[Any]] = []
        self._n_buffered = 0
        self._tokens_sha256, self._owners_sha256 = hashlib.sha256(), hashlib.sha256()
        self.shard_blocks: list[int] = []

    @property
    def n_blocks(self) -> int:
        """Blocks written so far."""
        return sum(self.shard_blocks)

    @property
    def sha256(self) -> str:
        """The hash over tokens and pieces added so far; independent of the size of shards."""
        both = self._tokens_sha256.digest() + self._owners_sha256.digest()
        return hashlib.sha256(both).hexdigest()

    def add(self, tokens: npt.NDArray[Any], pieces: npt.NDArray[Any]) -> None:
        """Appends whole blocks.

        Args:
            tokens: ``[n * block_tokens]`` ids.
            pieces: ``PIECE_DTYPE`` records; ``first_token`` is relative to ``tokens``.
        """
        assert tokens.size % self._block_tokens == 0
        tokens, pieces = tokens.astype(self._dtype), pieces.copy()
        lengths = np.diff(pieces["first_token"], append=tokens.size)
        self._tokens_sha256.update(tokens.tobytes())
        self._owners_sha256.update(lengths.tobytes() + pieces["document"].tobytes())
        pieces["first_token"] += self._n_buffered
        self._tokens.append(tokens)
        self._pieces.append(pieces)
        self._n_buffered += tokens.size
        if self._n_buffered >= self._shard_tokens:
            self.flush()

    def flush(self) -> None:
        """Writes the buffered blocks as one shard."""
        if not self._n_buffered:
            return
        number = len(self.shard_blocks)
        tokens = np.concatenate(self._tokens).reshape(-1, self._block_tokens)
        np.save(tokens_file(self._folder, self._split, number), tokens)
        np.save(pieces_file(self._folder, self._split, number), np.concatenate(self._pieces))
        self.shard_blocks.append(len(tokens))
        self._tokens, self._pieces, self._n_buffered = [], [], 0


def join_pieces(
    pieces: Sequence[tuple[int, Piece]],
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Concatenates ``(document, piece)`` pairs; returns the tokens and ``PIECE_DTYPE`` records."""
    lengths = np.array([len(piece.ids) for _, piece in pieces], dtype=np.int64)
    records = np.zeros(len(pieces), dtype=PIECE_DTYPE)
    records["first_token"] = np.cumsum(lengths) - lengths
    records["document"] = [document for document, _ in pieces]
    records["is_fim"] = [piece.is_fim for _, piece in pieces]
    tokens = [np.array(piece.ids, np.uint32) for _, piece in pieces]
    return np.concatenate([np.zeros(0, np.uint32), *tokens]), records


@dataclass(frozen=True)
class Blocks:
    """Blocks with their layout, ``[blocks, block_tokens]`` each.

    Attributes:
        ids: Tokens.
        firsts: For each token, the index in its block at which its piece begins.
        is_fim: For each token, whether its piece is split for infilling.
        is_distilled: For each token, whether a teacher's predictions are learned in place of the
            text; None without a teacher.
    """

    ids: npt.NDArray[np.int64]
    firsts: npt.NDArray[np.int64]
    is_fim: npt.NDArray[np.bool_]
    is_distilled: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class SplitFiles:
    """One split's memory-mapped arrays."""

    tokens: list[UInt]
    pieces: list[npt.NDArray[Any]]


class TrainingBlocks(Protocol):
    """What a run trains on: shards, or a stream.

    Attributes:
        block_tokens: The tokens of a block.
        meta: Where the blocks come from.
    """

    block_tokens: int
    meta: ShardsMeta

    def read_batch(self, position: int, n_blocks: int, *, seed: int) -> Blocks:
        """Returns ``n_blocks`` blocks from a position of the endless order."""
        ...

    def list_packages(self) -> Collection[tuple[str, str, str]]:
        """Returns name, version and licence of what the run has been trained on."""
        ...

    def count_licences(self) -> Counter[str]:
        """Returns how many training documents each licence has."""
        ...

    def dump_position(self, step: int) -> bytes:
        """Returns what this process must save with a step's checkpoint; nothing for shards."""
        ...

    def save_position(self, folder: Path, step: int, dumps: Sequence[bytes]) -> None:
        """Writes what all processes have returned to a checkpoint's folder."""
        ...

    def load_position(self, checkpoint: Path, step: int) -> None:
        """Goes to where a checkpoint was."""
        ...

    def import_record(self, checkpoint: Path, step: int) -> None:
        """Takes over what another run has recorded of its data, up to a checkpoint of it."""
        ...


class BlockReader:
    """Random access to a split's blocks, and to their endless seeded order.

    Args:
        folder: The shard folder.
        split: The split.
        distilled_paths: The prefix of the paths of those training documents for which a teacher's
            predictions are learned; None without a teacher.

    Raises:
        CorpusError: The folder is missing, unfinished or damaged.
    """

    def __init__(self, folder: Path, split: str, *, distilled_paths: str | None = None) -> None:
        self._folder = folder
        self.meta = read_meta(folder)
        self.block_tokens = self.meta.block_tokens
        self._files = _map_split(folder, split, self.meta)
        self._ends = np.cumsum([len(t) for t in self._files.tokens])
        self._order: tuple[tuple[int, int], npt.NDArray[np.int64]] | None = None
        self._is_distilled: npt.NDArray[np.bool_] | None = None  # by document
        if distilled_paths is not None:
            paths = [row["path"] for row in read_document_table(folder, ["path"])]
            self._is_distilled = np.array([path.startswith(distilled_paths) for path in paths])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def list_packages(self) -> Collection[tuple[str, str, str]]:
        """Returns name, version and licence of all training documents' packages."""
        return list_packages(self._folder)

    def count_licences(self) -> Counter[str]:
        """Returns how many training documents each licence has."""
        return count_licences(self._folder)

    def dump_position(self, step: int) -> bytes:  # noqa: ARG002 - the step is the position
        """Returns nothing: the step says where in the order a run is."""
        return b""

    def save_position(self, folder: Path, step: int, dumps: Sequence[bytes]) -> None:
        """Writes nothing."""

    def load_position(self, checkpoint: Path, step: int) -> None:
        """Does nothing."""

    def import_record(self, checkpoint: Path, step: int) -> None:
        """Does nothing: the shards tell it."""

    def read_block(self, index: int) -> npt.NDArray[np.int64]:
        """Returns the ids ``[block_tokens]`` of one block."""
        shard, row = self._locate(index)
        ids = np.asarray(self._files.tokens[shard][row], dtype=np.int64)
        if self.meta.vocab_size and ids.max() >= self.meta.vocab_size:
            raise CorpusError(
                f"block {index} of {self._folder} has the token {ids.max()} of"
                f" {self.meta.vocab_size}, so it is damaged; prepare the shards again"
            )
        return ids

    def read_documents(self, index: int) -> npt.NDArray[np.int32]:
        """Returns the document ``[block_tokens]`` that each token of a block came from."""
        records, firsts = self._pieces(index)
        lengths = np.diff(firsts, append=self.block_tokens)
        return np.repeat(records["document"], lengths).astype(np.int32)

    def read_blocks(self, indices: Sequence[int]) -> Blocks:
        """Returns blocks with their layout."""
        ids = np.stack([self.read_block(index) for index in indices])
        blocks = lay_out_blocks(ids, [self._pieces(index) for index in indices])
        if self._is_distilled is None:
            return blocks
        documents = np.stack([self.read_documents(index) for index in indices])
        if documents.min() < 0 or documents.max() >= len(self._is_distilled):
            raise CorpusError(
                f"the pieces of {self._folder} are of documents that its table lacks; prepare the"
                " shards again"
            )
        return replace(blocks, is_distilled=self._is_distilled[documents])

    def read_batch(self, position: int, n_blocks: int, *, seed: int) -> Blocks:
        """Returns ``n_blocks`` blocks from a position of the endless seeded order.

        The order is a sequence of shuffled passes over all blocks; it depends on ``seed`` alone.
        """
        return self.read_blocks([self.find_block(position + i, seed=seed) for i in range(n_blocks)])

    def find_block(self, position: int, *, seed: int) -> int:
        """Returns the index of the block at a position of the endless seeded order."""
        epoch, place = divmod(position, len(self))
        if self._order is None or self._order[0] != (seed, epoch):
            rng = np.random.default_rng((seed, epoch))
            self._order = ((seed, epoch), rng.permutation(len(self)))
        return int(self._order[1][place])

    def _pieces(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """Returns the records of a block's pieces, and where in the block each begins."""
        shard, row = self._locate(index)
        pieces, start = self._files.pieces[shard], row * self.block_tokens
        edges = [start + 1, start + self.block_tokens]
        first, end = np.searchsorted(pieces["first_token"], edges, side="left")
        records = pieces[max(first - 1, 0) : end]
        begins = np.maximum(records["first_token"] - start, 0)
        if not len(records) or begins[0] or (np.diff(begins, append=self.block_tokens) < 1).any():
            raise CorpusError(
                f"the pieces of block {index} of {self._folder} are damaged; prepare the shards"
                " again"
            )
        return records, begins

    def _locate(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"block {index} of {len(self)}")
        shard = int(np.searchsorted(self._ends, index, side="right"))
        return shard, index - (int(self._ends[shard - 1]) if shard else 0)


def lay_out_blocks(
    ids: npt.NDArray[np.int64],
    pieces: Sequence[tuple[npt.NDArray[Any], npt.NDArray[np.int64]]],
) -> Blocks:
    """Returns blocks with their layout.

    Args:
        ids: ``[blocks, block_tokens]``.
        pieces: For each block, the records of its pieces, and where in it each begins.
    """
    firsts, is_fim = [], []
    for records, begins in pieces:
        lengths = np.diff(begins, append=ids.shape[1])
        firsts.append(np.repeat(begins, lengths))
        is_fim.append(np.repeat(records["is_fim"], lengths))
    return Blocks(ids, np.stack(firsts), np.stack(is_fim))


def _map_split(folder: Path, split: str, meta: ShardsMeta) -> SplitFiles:
    tokens, pieces = [], []
    for number, n_blocks in enumerate(meta.shard_blocks.get(split, ())):
        path = tokens_file(folder, split, number)
        try:
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
            records = np.load(pieces_file(folder, split, number), mmap_mode="r", allow_pickle=False)
        except _DAMAGE as error:
            raise CorpusError(
                f"{path} or its pieces are damaged or missing; prepare the shards again"
            ) from error
        is_sound = (
            isinstance(mapped, np.ndarray)
            and isinstance(records, np.ndarray)
            and mapped.shape == (n_blocks, meta.block_tokens)
            and n_blocks > 0
            and mapped.dtype in {np.dtype(np.uint16), np.dtype(np.uint32)}
            and records.dtype == PIECE_DTYPE
            and records.ndim == 1
        )
        if not is_sound:
            raise CorpusError(
                f"{path} or its pieces do not match {META_FILE}; prepare the shards again"
            )
        tokens.append(mapped)
        pieces.append(records)
    if not tokens:
        raise CorpusError(f"{folder} has no {split} blocks; prepare it from a larger corpus")
    return SplitFiles(tokens, pieces)
