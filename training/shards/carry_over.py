"""What fills no whole block at the end of a row group is carried over into further blocks.

Row groups are encoded independently of each other, so that several processes can work, and each
fills whole blocks but for its last tokens. Many small packages would otherwise leave much of their
text, or all of it, unused. Deterministic: the blocks depend on the rests in their order alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from training.artifact.fim import FimLayout
from training.artifact.special_tokens import QUALITY_TOKENS
from training.artifact.tokenizer import CodeTokenizer
from training.shards.blocks import join_pieces
from training.shards.packing import Piece

Tokens = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class PackedTokens:
    """Consecutive tokens; ``pieces`` are their ``PIECE_DTYPE`` records."""

    tokens: Tokens
    pieces: npt.NDArray[Any]


class CarryOver:
    """Packs the rests of row groups into blocks.

    Left-to-right pieces are cut where a block ends, and continue in the next one. A piece that is
    split for infilling cannot be cut: if it does not fit, its text is put in order again.

    Args:
        block_tokens: The size of a block.
        tokenizer: The vocabulary of the tokens.
    """

    def __init__(self, block_tokens: int, tokenizer: CodeTokenizer) -> None:
        self._block_tokens = block_tokens
        self._layout = FimLayout.of(tokenizer)
        known = [token for token in QUALITY_TOKENS if tokenizer.has_special(token)]
        self._quality_ids = {tokenizer.special_id(token) for token in known}
        self._open: list[tuple[int, Piece]] = []
        self._n_open = 0

    @property
    def waiting_documents(self) -> set[int]:
        """The documents of the pieces that are not in a block yet."""
        return {document for document, _ in self._open}

    def save(self) -> PackedTokens:
        """Returns what is not in a block yet, for :meth:`load`."""
        tokens, pieces = join_pieces(self._open)
        return PackedTokens(tokens=tokens, pieces=pieces)

    def load(self, packed: PackedTokens) -> None:
        """Takes what :meth:`save` returned in place of what is not in a block yet."""
        self._open = list(iterate_pieces(packed))
        self._n_open = packed.tokens.size

    def add(self, rest: PackedTokens) -> Iterator[PackedTokens]:
        """Adds a row group's rest, less than a block; yields the blocks that it completes."""
        for document, piece in iterate_pieces(rest):
            yield from self._add_piece(document, piece)

    def _add_piece(self, document: int, piece: Piece) -> Iterator[PackedTokens]:
        room = self._block_tokens - self._n_open
        if piece.is_fim and len(piece.ids) > room:
            piece = Piece(ids=self._layout.restore_order(piece.ids), is_fim=False)
        ids = piece.ids
        n_start = 2 if self._quality_ids.intersection(ids[1:2]) else 1
        while len(ids) > room:
            yield from self._append(document, Piece(ids=ids[:room], is_fim=False))
            ids = [*ids[:n_start], *ids[max(room, n_start) :]]
            room = self._block_tokens
        if len(ids) > n_start:
            yield from self._append(document, Piece(ids=ids, is_fim=piece.is_fim))

    def _append(self, document: int, piece: Piece) -> Iterator[PackedTokens]:
        self._open.append((document, piece))
        self._n_open += len(piece.ids)
        if self._n_open == self._block_tokens:
            tokens, pieces = join_pieces(self._open)
            self._open, self._n_open = [], 0
            yield PackedTokens(tokens=tokens, pieces=pieces)


def iterate_pieces(packed: PackedTokens) -> Iterator[tuple[int, Piece]]:
    """Yields the pieces with their documents: the inverse of joining them."""
    ends = [*packed.pieces["first_token"].tolist()[1:], packed.tokens.size]
    for (first, document, is_fim), end in zip(packed.pieces.tolist(), ends, strict=False):
        yield document, Piece(ids=packed.tokens[first:end].tolist(), is_fim=is_fim)


def cut_blocks(
    tokens: Tokens, pieces: npt.NDArray[Any], block_tokens: int
) -> tuple[PackedTokens, PackedTokens]:
    """Divides a row group into its whole blocks and its rest, each with its own records."""
    n_whole = tokens.size // block_tokens * block_tokens
    is_whole = pieces["first_token"] < n_whole
    rest = pieces[~is_whole].copy()
    rest["first_token"] -= n_whole
    return (
        PackedTokens(tokens=tokens[:n_whole], pieces=pieces[is_whole]),
        PackedTokens(tokens=tokens[n_whole:], pieces=rest),
    )
