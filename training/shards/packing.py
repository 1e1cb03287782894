"""Packs documents into blocks of tokens: cuts them into pieces, and splits pieces for infilling.

Pure functions of a document and a seed; no files. Blocks are filled exactly: each piece begins with
the end-of-text token and is cut to the room left in its block, and the document continues at the
next line in the next piece. A piece is split for infilling within itself, so prefix, suffix and
middle are always in the same block (context-level FIM).

Source: Bavarian et al. 2022, arXiv:2207.14255 (rate, character-level split, PSM and SPM halves,
context-level). Which middles are drawn: ``training.shards.middles``.
"""

import math
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from training.artifact.fim import FimLayout
from training.artifact.tokenizer import CodeTokenizer
from training.config import FimConfig
from training.shards.middles import draw_middle

MIN_FIM_TOKENS = 48  # shorter pieces are not worth splitting
_SAFE_PLACE = re.compile(r"(?<=[!-~])\n")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Consecutive tokens of one document, end-of-text first."""

    ids: list[int]
    is_fim: bool


class EncodedText:
    """A text with its tokens, which yields the tokens of any substring without encoding it all.

    GPT-2's pattern never joins a visible character with the line end after it. So the text between
    two such boundaries has the same tokens in any substring; only the two ends are encoded again.
    """

    def __init__(self, text: str, tokenizer: CodeTokenizer) -> None:
        self.text = text
        self.ids, self.starts = tokenizer.encode_with_starts(text)
        self.tokenizer = tokenizer

    @property
    def characters_per_token(self) -> float:
        """How well the vocabulary fits the text; infinity for an empty text."""
        return len(self.text) / len(self.ids) if self.ids else math.inf

    def start(self, token: int) -> int:
        """Returns the index of the character in which a token begins, or the end of the text."""
        return int(self.starts[token]) if token < len(self.ids) else len(self.text)

    def encode(self, start: int, end: int) -> list[int]:
        """Returns the ids of the characters ``[start, end)``, as if they were the whole text."""
        first = _SAFE_PLACE.search(self.text, start, end)
        last = first.start() if first else -1
        at = self.text.rfind("\n", start, end)
        while at > last and not _SAFE_PLACE.match(self.text, at):
            at = self.text.rfind("\n", start, at)
        last = max(last, at)
        if first is None or last <= first.start():
            return self.tokenizer.encode(self.text[start:end])
        i, j = np.searchsorted(self.starts, [first.start(), last])
        head = self.tokenizer.encode(self.text[start : first.start()])
        return [*head, *self.ids[i:j], *self.tokenizer.encode(self.text[last:end])]

    def find_line_after(self, token: int) -> int:
        """Returns the first token at or after ``token`` that begins a line."""
        newline = self.text.find("\n", max(0, int(self.starts[token]) - 1))
        if newline < 0:
            return len(self.ids)
        return max(token, int(np.searchsorted(self.starts, newline + 1)))


def pack_document(
    encoded: EncodedText,
    room_tokens: int,
    *,
    block_tokens: int,
    fim: FimConfig,
    chance: random.Random,
    quality: str | None = None,
) -> Iterator[Piece]:
    """Yields a document's pieces, none longer than the room left in its block.

    Args:
        encoded: The document.
        room_tokens: Tokens left in the current block, at least 1.
        block_tokens: The size of a block.
        fim: How often pieces are split, and where.
        chance: The document's random number generator.
        quality: The quality token of the document, for the head of every piece.
    """
    layout = FimLayout.of(encoded.tokenizer, quality)
    n_tokens = len(encoded.ids)
    first = 0  # index of the first token not yet packed
    while first < n_tokens:
        wants_fim = chance.random() < fim.rate
        if wants_fim and min(room_tokens, n_tokens - first) >= MIN_FIM_TOKENS:
            most_tokens = min(room_tokens, draw_length(block_tokens, fim, chance))
            last = min(n_tokens, first + most_tokens - layout.overhead_tokens)
            span = (encoded.start(first), encoded.start(last))
            piece = split_for_infilling(
                encoded, span, most_tokens, layout=layout, fim=fim, chance=chance
            )
        else:
            last = min(n_tokens, first + max(0, room_tokens - len(layout.start)))
            ids = layout.left_to_right_prompt(encoded.ids[first:last])[:room_tokens]
            piece = Piece(ids=ids, is_fim=False)
        yield piece
        room_tokens = (room_tokens - len(piece.ids)) or block_tokens
        if last > first:  # else the block had room for no token of the text
            first = last if last == n_tokens else encoded.find_line_after(last)


def draw_length(block_tokens: int, fim: FimConfig, chance: random.Random) -> int:
    """Draws the most tokens that a split piece may have; the block's, unless the config asks.

    The length is log-uniform. A piece has one middle however long it is, so shorter pieces give
    more middles per token, and the long ones keep the context that the server uses.
    """
    if fim.shortest_piece_tokens is None:
        return block_tokens
    shortest = min(max(fim.shortest_piece_tokens, MIN_FIM_TOKENS), block_tokens)
    length: float = shortest * (block_tokens / shortest) ** chance.random()
    return round(length)


def split_for_infilling(
    encoded: EncodedText,
    span: tuple[int, int],
    room_tokens: int,
    *,
    layout: FimLayout,
    fim: FimConfig,
    chance: random.Random,
) -> Piece:
    """Splits a span of characters and lays out the parts, followed by end-of-text if it fits.

    Splitting may add a few tokens. Then the suffix is truncated at its end, as in serving, and the
    prefix at its beginning if there is no suffix left.
    """
    begin, finish = span
    start, end = draw_middle(encoded.text[begin:finish], fim, chance)
    prefix = encoded.encode(begin, begin + start)
    middle = encoded.encode(begin + start, begin + end)
    suffix = encoded.encode(begin + end, finish)
    closing = [layout.end_of_text_id]
    excess = layout.overhead_tokens + len(prefix) + len(middle) + len(suffix) + 1 - room_tokens
    if excess > 0:
        cut = min(excess, len(suffix))
        suffix = suffix[: len(suffix) - cut]
        excess -= cut
        prefix = prefix[min(excess, len(prefix)) :]
    is_spm = chance.random() < fim.spm_share
    prompt = layout.spm_prompt(prefix, suffix) if is_spm else layout.psm_prompt(prefix, suffix)
    return Piece(ids=(prompt + middle + closing)[:room_tokens], is_fim=True)
