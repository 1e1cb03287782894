"""Documents to blocks of tokens: cutting into pieces, splitting pieces for infilling, packing.

Pure functions of a document and a seed; no files. A block is filled exactly: each piece begins with
the end-of-text token, is cut to the room that is left, and a document goes on in the next piece at
the next whole line. A piece is split for infilling only within itself, so that prefix, suffix and
middle always stand in one block together (context-level FIM).

Source: Bavarian et al. 2022, arXiv:2207.14255 (rate, character-level split, PSM and SPM halves,
context-level). Middles that end at a line's end are added to their uniform ones, because that is
what an editor asks for.
"""

import bisect
import random
from collections.abc import Iterator
from dataclasses import dataclass

from training.artifact.fim import SPM_OVERHEAD_TOKENS, FimLayout
from training.artifact.tokenizer import CodeTokenizer
from training.config import FimConfig

MIN_FIM_TOKENS = 48  # a piece with less text is not worth splitting


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Consecutive tokens of one document, end-of-text first."""

    ids: list[int]
    is_fim: bool


def pack_document(
    text: str,
    room_tokens: int,
    *,
    block_tokens: int,
    tokenizer: CodeTokenizer,
    fim: FimConfig,
    chance: random.Random,
) -> Iterator[Piece]:
    """Yields a document's pieces, none longer than the room left in its block.

    Args:
        text: The document.
        room_tokens: What is left of the current block, at least 1.
        block_tokens: The size of a block.
        tokenizer: Encodes it.
        fim: The rates of splitting.
        chance: The document's own source of randomness.
    """
    layout = FimLayout.of(tokenizer)
    ids, offsets = tokenizer.encode_with_offsets(text)
    starts = [start for start, _ in offsets]
    first = 0  # index of the first token not yet packed
    while first < len(ids):
        wants_fim = chance.random() < fim.rate
        if wants_fim and min(room_tokens, len(ids) - first) >= MIN_FIM_TOKENS:
            last = min(len(ids), first + room_tokens - SPM_OVERHEAD_TOKENS)
            end_char = starts[last] if last < len(ids) else len(text)
            piece_text = text[starts[first] : end_char]
            piece = fim_piece(
                piece_text,
                room_tokens,
                tokenizer=tokenizer,
                layout=layout,
                fim=fim,
                chance=chance,
            )
        else:
            last = min(len(ids), first + room_tokens - 1)
            piece = Piece(ids=layout.left_to_right_prompt(ids[first:last]), is_fim=False)
        yield piece
        room_tokens = (room_tokens - len(piece.ids)) or block_tokens
        first = last if last == len(ids) else next_line_token(text, starts, last)


def next_line_token(text: str, starts: list[int], token: int) -> int:
    """Returns the first token at or after ``token`` that begins behind a line's end."""
    newline = text.find("\n", max(0, starts[token] - 1))
    if newline < 0:
        return len(starts)
    return max(token, bisect.bisect_left(starts, newline + 1))


def fim_piece(
    text: str,
    room_tokens: int,
    *,
    tokenizer: CodeTokenizer,
    layout: FimLayout,
    fim: FimConfig,
    chance: random.Random,
) -> Piece:
    """Splits ``text`` at characters and lays the parts out, closed by end-of-text if it fits.

    Splitting may cost a few tokens more than ``text`` had; then the suffix loses its far end, as it
    does at serving time, and if there is none the prefix loses its beginning.
    """
    start, end = middle_span(text, fim, chance)
    prefix = tokenizer.encode(text[:start])
    middle = tokenizer.encode(text[start:end])
    suffix = tokenizer.encode(text[end:])
    closing = [layout.end_of_text_id]
    excess = SPM_OVERHEAD_TOKENS + len(prefix) + len(middle) + len(suffix) + 1 - room_tokens
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
