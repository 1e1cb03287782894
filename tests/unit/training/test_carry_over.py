"""The ends of row groups become blocks too, whatever their sizes."""

import random

import numpy as np
import pytest

from training.artifact.fim import FimLayout
from training.artifact.special_tokens import QUALITY_TOKENS
from training.config import FimConfig
from training.shards.blocks import join_pieces
from training.shards.carry_over import CarryOver, PackedTokens, cut_blocks
from training.shards.packing import EncodedText, Piece, pack_document

BLOCK = 128


def make_text(number, n_lines):
    lines = (f"value_{number}_{i} = compute({i})  # {number}\n" for i in range(n_lines))
    return "".join(lines)


def pack_groups(tokenizer, texts, *, rate, quality=None):
    """Encodes each text as a row group of its own; returns whole blocks and rests."""
    for number, text in enumerate(texts):
        pieces = pack_document(
            EncodedText(text, tokenizer),
            BLOCK,
            block_tokens=BLOCK,
            fim=FimConfig(rate=rate),
            chance=random.Random(number),
            quality=quality,
        )
        yield cut_blocks(*join_pieces([(number, piece) for piece in pieces]), BLOCK)


@pytest.mark.parametrize("quality", [None, QUALITY_TOKENS[0]])
@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_the_rests_fill_blocks_and_lose_no_text(byte_tokenizer, rate, quality):
    """If it fails, a corpus of small packages trains nothing, or on torn infilling examples."""
    layout = FimLayout.of(byte_tokenizer, quality)
    texts = [make_text(number, 1 + number % 5) for number in range(120)]
    carry_over, blocks, n_rest = CarryOver(BLOCK, byte_tokenizer), [], 0
    with_rest = set()
    for _, rest in pack_groups(byte_tokenizer, texts, rate=rate, quality=quality):
        n_rest += rest.tokens.size
        with_rest |= set(rest.pieces["document"].tolist())
        blocks += carry_over.add(rest)
    assert len(blocks) >= 0.95 * n_rest // BLOCK > 20  # sentinels may go
    found: dict[int, bytes] = {}
    for block in blocks:
        assert block.tokens.size == BLOCK
        assert block.pieces["first_token"][0] == 0
        ends = [*block.pieces["first_token"].tolist()[1:], BLOCK]
        for (first, document, is_fim), end in zip(block.pieces.tolist(), ends, strict=True):
            ids = block.tokens[first:end].tolist()
            assert ids[: len(layout.start)] == layout.start[: len(ids)]
            assert ids.count(layout.middle_id) == is_fim
            if is_fim:
                ids = layout.restore_order(ids)
            found[document] = found.get(document, b"") + byte_tokenizer.decode_bytes(ids)
    waiting = carry_over.waiting_documents
    assert found.keys() | waiting == with_rest
    for document in found.keys() - waiting:
        expected = texts[document].encode()[-len(found[document]) :]
        assert sorted(found[document]) == sorted(expected)
        if rate == 0:
            assert found[document] == expected


def test_text_split_for_infilling_is_put_in_order_again(byte_tokenizer):
    layout = FimLayout.of(byte_tokenizer, QUALITY_TOKENS[1])
    prefix, middle, suffix = (byte_tokenizer.encode(text) for text in ("ab", "cd", "ef"))
    expected = [*layout.start, *prefix, *middle, *suffix]
    for prompt in (layout.psm_prompt(prefix, suffix), layout.spm_prompt(prefix, suffix)):
        assert layout.restore_order([*prompt, *middle, layout.end_of_text_id]) == expected
    cut = [*layout.psm_prompt(prefix, suffix), *middle[:1]]
    assert layout.restore_order(cut) == [*layout.start, *prefix, *middle[:1], *suffix]


def test_a_group_without_documents_carries_nothing(byte_tokenizer):
    """If it fails, one source of nothing but dropped files ends the preparation."""
    whole, rest = cut_blocks(*join_pieces([]), BLOCK)
    assert (whole.tokens.size, rest.tokens.size) == (0, 0)
    assert list(CarryOver(BLOCK, byte_tokenizer).add(rest)) == []


def test_the_documents_of_open_pieces_are_known(byte_tokenizer):
    carry_over = CarryOver(BLOCK, byte_tokenizer)
    for document, n_tokens in ((3, 100), (4, 27), (5, 2)):
        ids = [byte_tokenizer.end_of_text_id, *([50] * (n_tokens - 1))]
        tokens, pieces = join_pieces([(document, Piece(ids=ids, is_fim=False))])
        list(carry_over.add(PackedTokens(tokens=tokens.astype(np.uint16), pieces=pieces)))
    assert carry_over.waiting_documents == {5}
