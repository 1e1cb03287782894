"""Prompt layouts and infilling pieces."""

import random

import pytest

from training.artifact.fim import FimLayout
from training.artifact.special_tokens import SPECIAL_TOKENS
from training.config import FimConfig
from training.packing import fim_piece, middle_span, pack_document
from training.shards import pieces_to_blocks

SOURCE = "".join(
    f"def function_{i}(a, b):\n    '''Übung {i} 😀'''\n    return a * {i} + b\n\n"
    for i in range(60)
)


def split_parts(ids, layout):
    """Takes an infilling piece apart again: (prefix and middle, suffix) as ids."""
    ids = ids[:-1] if ids[-1] == layout.end_of_text_id else ids
    assert ids[:2] == [layout.end_of_text_id, layout.prefix_id]
    body = ids[2:]
    suffix_at, middle_at = body.index(layout.suffix_id), body.index(layout.middle_id)
    if suffix_at == 0:  # SPM
        return body[middle_at + 1 :], body[1:middle_at]
    return body[:suffix_at] + body[middle_at + 1 :], body[suffix_at + 1 : middle_at]


@pytest.mark.parametrize("seed", range(40))
def test_split_pieces_join_to_the_text_they_came_from(seed, byte_tokenizer):
    """If it fails, the model learns from text that no file ever contained."""
    layout = FimLayout.of(byte_tokenizer)
    piece = fim_piece(
        SOURCE[:900],
        4096,
        tokenizer=byte_tokenizer,
        layout=layout,
        fim=FimConfig(),
        chance=random.Random(seed),
    )
    front, suffix = split_parts(piece.ids, layout)
    assert byte_tokenizer.decode(front) + byte_tokenizer.decode(suffix) == SOURCE[:900]


@pytest.mark.parametrize("seed", range(10))
def test_a_piece_too_long_loses_only_the_far_end_of_its_suffix(seed, byte_tokenizer):
    layout = FimLayout.of(byte_tokenizer)
    text = SOURCE[:300]
    fim = FimConfig(line_share=1.0, more_lines=0.0)
    room = len(byte_tokenizer.encode(text)) - 5
    piece = fim_piece(
        text,
        room,
        tokenizer=byte_tokenizer,
        layout=layout,
        fim=fim,
        chance=random.Random(seed),
    )
    assert len(piece.ids) <= room
    front, suffix = split_parts(piece.ids, layout)
    joined = byte_tokenizer.decode_bytes(front) + byte_tokenizer.decode_bytes(suffix)
    assert joined in text.encode()


def test_both_orders_share_their_parts(byte_tokenizer):
    layout = FimLayout.of(byte_tokenizer)
    prefix, suffix = byte_tokenizer.encode("a = "), byte_tokenizer.encode("\nb = 2")
    spm, psm = layout.spm_prompt(prefix, suffix), layout.psm_prompt(prefix, suffix)
    assert sorted(spm) == sorted(psm)
    assert spm[-len(prefix) :] == prefix
    assert psm[-1] == layout.middle_id


def test_middles_reach_the_end_of_a_line_when_asked():
    fim = FimConfig(line_share=1.0, more_lines=0.0)
    chance = random.Random(1)
    for _ in range(200):
        start, end = middle_span(SOURCE, fim, chance)
        assert end == len(SOURCE) or SOURCE[end] == "\n"
        assert "\n" not in SOURCE[start:end]


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_blocks_are_filled_exactly_and_hold_whole_sentinels(rate, byte_tokenizer):
    """If it fails, infilling examples are torn apart at block borders."""
    layout = FimLayout.of(byte_tokenizer)
    room, pieces = 512, []
    for number in range(6):
        for piece in pack_document(
            SOURCE,
            room,
            block_tokens=512,
            tokenizer=byte_tokenizer,
            fim=FimConfig(rate=rate),
            chance=random.Random(number),
        ):
            assert 1 <= len(piece.ids) <= room
            pieces.append((number, piece))
            room = (room - len(piece.ids)) or 512
    tokens, records = pieces_to_blocks(pieces, 512)
    assert tokens.size % 512 == 0
    for block in tokens.reshape(-1, 512):
        assert block[0] == layout.end_of_text_id
        counts = [int((block == i).sum()) for i in (layout.prefix_id, layout.suffix_id)]
        assert counts[0] == counts[1]
    is_fim = [piece.is_fim for _, piece in pieces]
    assert any(is_fim) == (rate > 0)
    assert list(records["document"]) == sorted(records["document"])


def test_text_that_spells_a_special_token_stays_text(byte_tokenizer):
    """If it fails, a source file can end the document or forge a prompt."""
    special_ids = {byte_tokenizer.special_id(token) for token in SPECIAL_TOKENS}
    for token in SPECIAL_TOKENS:
        ids = byte_tokenizer.encode(f"x = '{token}'")
        assert not special_ids.intersection(ids)
        assert byte_tokenizer.decode(ids) == f"x = '{token}'"
