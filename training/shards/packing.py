"""Documents to blocks of tokens: cutting into pieces, splitting pieces for infilling, packing.

Pure functions of a document and a seed; no files. A block is filled exactly: each piece begins with
the end-of-text token, is cut to the room that is left, and a document goes on in the next piece at
the next whole line. A piece is split for infilling only within itself, so that prefix, suffix and
middle always stand in one block together (context-level FIM).

Source: Bavarian et al. 2022, arXiv:2207.14255 (rate, character-level split, PSM and SPM halves,
context-level). Middles that end at a line's end are added to their uniform ones, because that is
what an editor asks for.
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

MIN_FIM_TOKENS = 48  # a piece with less text is not worth splitting
_SAFE_PLACE = re.compile(r"(?<=[!-~])\n")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Consecutive tokens of one document, end-of-text first."""

    ids: list[int]
    is_fim: bool


class EncodedText:
    """A text with its tokens, of which any stretch can be had without encoding it again.

    The pattern of GPT-2 never joins a visible character and the line end behind it, so what lies
    between two such places has the same tokens in any stretch; only its two ends are encoded.
    """

    def __init__(self, text: str, tokenizer: CodeTokenizer) -> None:
        self.text = text
        self.ids, self.starts = tokenizer.encode_with_starts(text)
        self.tokenizer = tokenizer

    @property
    def characters_per_token(self) -> float:
        """How well the vocabulary fits; infinite for an empty text."""
        return len(self.text) / len(self.ids) if self.ids else math.inf

    def start(self, token: int) -> int:
        """Returns the index of the character in which a token begins; the end for the one past."""
        return int(self.starts[token]) if token < len(self.ids) else len(self.text)

    def encode(self, start: int, end: int) -> list[int]:
        """Returns the ids of the characters ``[start, end)``, as if they were all of the text."""
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

    def line_after(self, token: int) -> int:
        """Returns the first token at or after ``token`` that begins behind a line's end."""
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
        room_tokens: What is left of the current block, at least 1.
        block_tokens: The size of a block.
        fim: The rates of splitting.
        chance: The document's own source of randomness.
        quality: The token that says how good its source is, at the head of every piece.
    """
    layout = FimLayout.of(encoded.tokenizer, quality)
    n_tokens = len(encoded.ids)
    first = 0  # index of the first token not yet packed
    while first < n_tokens:
        wants_fim = chance.random() < fim.rate
        if wants_fim and min(room_tokens, n_tokens - first) >= MIN_FIM_TOKENS:
            last = min(n_tokens, first + room_tokens - layout.overhead_tokens)
            span = (encoded.start(first), encoded.start(last))
            piece = fim_piece(encoded, span, room_tokens, layout=layout, fim=fim, chance=chance)
        else:
            last = min(n_tokens, first + max(0, room_tokens - len(layout.start)))
            ids = layout.left_to_right_prompt(encoded.ids[first:last])[:room_tokens]
            piece = Piece(ids=ids, is_fim=False)
        yield piece
        room_tokens = (room_tokens - len(piece.ids)) or block_tokens
        first = last if last == n_tokens else encoded.line_after(last)


def fim_piece(
    encoded: EncodedText,
    span: tuple[int, int],
    room_tokens: int,
    *,
    layout: FimLayout,
    fim: FimConfig,
    chance: random.Random,
) -> Piece:
    """Splits a span at characters and lays the parts out, closed by end-of-text if it fits.

    Splitting may cost a few tokens more than the span had; then the suffix loses its far end, as it
    does at serving time, and if there is none the prefix loses its beginning.
    """
    begin, finish = span
    start, end = middle_span(encoded.text[begin:finish], fim, chance)
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


def middle_span(text: str, fim: FimConfig, chance: random.Random) -> tuple[int, int]:
    """Draws the characters ``[start, end)`` of the middle."""
    if chance.random() >= fim.line_share:
        a, b = chance.randint(0, len(text)), chance.randint(0, len(text))
        return min(a, b), max(a, b)
    start = chance.randint(0, len(text))
    end = _line_end(text, start)
    while end < len(text) and chance.random() < fim.more_lines:
        end = _line_end(text, end + 1)
    return start, end


def _line_end(text: str, position: int) -> int:
    newline = text.find("\n", position)
    return len(text) if newline < 0 else newline
