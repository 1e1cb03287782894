"""Prompt layouts and infilling pieces."""

import random
import textwrap
from pathlib import Path

import pytest

from training.artifact.fim import FimLayout
from training.artifact.special_tokens import SPECIAL_TOKENS
from training.config import FimConfig, TokenizerConfig
from training.shards.blocks import join_pieces
from training.shards.carry_over import cut_blocks
from training.shards.middles import draw_middle, find_pairs
from training.shards.packing import EncodedText, pack_document, split_for_infilling
from training.train_tokenizer import train_tokenizer

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
    piece = split_for_infilling(
        EncodedText(SOURCE, byte_tokenizer),
        (0, 900),
        4096,
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
    piece = split_for_infilling(
        EncodedText(text, byte_tokenizer),
        (0, len(text)),
        room,
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
        start, end = draw_middle(SOURCE, fim, chance)
        assert end == len(SOURCE) or SOURCE[end] == "\n"
        assert "\n" not in SOURCE[start:end]


@pytest.mark.parametrize("seed", range(5))
def test_middles_reach_the_bracket_or_quote_that_closes_around_them(seed):
    """If it fails, the model has not seen the suffixes that editors make."""
    fim = FimConfig(line_share=0.0, bracket_share=1.0)
    chance = random.Random(seed)
    ends = [draw_middle(SOURCE, fim, chance) for _ in range(200)]
    assert {SOURCE[end : end + 1] for _, end in ends} <= {")", "}", "'", "\n", ""}
    enclosed = [SOURCE[start:end] for start, end in ends if SOURCE[end : end + 1] == ")"]
    assert len(enclosed) > 20
    assert all("a, b".endswith(middle) for middle in enclosed)


@pytest.mark.parametrize("seed", range(5))
def test_middles_reach_the_end_of_a_block(seed):
    fim = FimConfig(line_share=0.0, block_share=1.0)
    chance = random.Random(seed)
    for _ in range(200):
        start, end = draw_middle(SOURCE, fim, chance)
        if SOURCE.rfind("\n    ", 0, start) > SOURCE.rfind("\n\n", 0, start):  # within a body
            line_end = SOURCE.find("\n", start)
            assert end in {line_end, SOURCE.find("\n\n", start)}


@pytest.mark.parametrize(
    ("line", "enclosed"),
    [
        ("f(a, g(b))  # (c)", ["b", "a, g(b)"]),
        ("x = {'k': [1]}", ["k", "1", "'k': [1]"]),
        ('s = \'(\' + "a\\"b"', ["(", 'a\\"b']),
        ("g(a) + h(", ["a"]),
        ("def f(", []),
    ],
)
def test_what_the_brackets_and_quotes_of_a_line_enclose(line, enclosed):
    assert [line[opened:closing] for opened, closing in find_pairs(line)] == enclosed


def test_shares_of_middles_add_up_to_one_at_most():
    with pytest.raises(ValueError, match=r"add up to 1\.2, expected at most 1"):
        FimConfig(bracket_share=0.4, block_share=0.3)


def test_shorter_split_pieces_give_more_middles_per_block(byte_tokenizer):
    """If it fails, a run learns from one middle per block, however it is configured."""

    def pack(fim):
        encoded = EncodedText(SOURCE * 4, byte_tokenizer)
        return list(pack_document(encoded, 512, block_tokens=512, fim=fim, chance=random.Random(5)))

    filling = pack(FimConfig(rate=1.0))
    drawn = pack(FimConfig(rate=1.0, shortest_piece_tokens=96))
    assert {len(piece.ids) for piece in filling[:-1]} == {512}
    assert len(drawn) > 1.8 * len(filling)
    assert max(len(piece.ids) for piece in drawn) > 400


@pytest.mark.parametrize("room", [1, 40])
def test_a_document_that_begins_at_a_blocks_end_keeps_its_first_line(room, byte_tokenizer):
    """If it fails, a document of one line is lost, or another loses its imports."""
    fim = FimConfig(rate=0.0)
    for text in ("import os\n", "import os\nimport sys\n"):
        encoded = EncodedText(text, byte_tokenizer)
        chance = random.Random(0)
        pieces = list(pack_document(encoded, room, block_tokens=64, fim=fim, chance=chance))
        decoded = byte_tokenizer.decode([i for piece in pieces for i in piece.ids])
        assert decoded.endswith(text)


@pytest.mark.parametrize("shortest", [None, 64])
@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_blocks_are_filled_exactly_and_hold_whole_sentinels(rate, shortest, byte_tokenizer):
    """If it fails, infilling examples are torn apart at block borders."""
    layout = FimLayout.of(byte_tokenizer)
    room, pieces = 512, []
    for number in range(6):
        for piece in pack_document(
            EncodedText(SOURCE, byte_tokenizer),
            room,
            block_tokens=512,
            fim=FimConfig(rate=rate, shortest_piece_tokens=shortest),
            chance=random.Random(number),
        ):
            assert 1 <= len(piece.ids) <= room
            pieces.append((number, piece))
            room = (room - len(piece.ids)) or 512
    whole, _ = cut_blocks(*join_pieces(pieces), 512)
    tokens, records = whole.tokens, whole.pieces
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


ODD_TEXTS = [
    Path(textwrap.__file__).read_text(encoding="utf-8"),
    SOURCE,
    "x = 1  \n\n\n    y = 2\t\n\r\n  \n# ü\n😀\n\u2028z\n" * 20,
    "\n" * 50,
    "no line end",
]


@pytest.mark.parametrize("number", range(len(ODD_TEXTS)))
def test_a_stretch_has_the_tokens_of_encoding_it_alone(number, trained_tokenizer):
    """The oracle is the tokenizer itself; if it fails, training sees prompts no editor sends."""
    text = ODD_TEXTS[number]
    encoded = EncodedText(text, trained_tokenizer)
    assert encoded.ids == trained_tokenizer.encode(text)
    chance = random.Random(number)
    for _ in range(300):
        start, end = sorted(chance.randint(0, len(text)) for _ in range(2))
        assert encoded.encode(start, end) == trained_tokenizer.encode(text[start:end])


@pytest.mark.parametrize("number", range(len(ODD_TEXTS)))
def test_tokens_start_where_their_bytes_say(number, trained_tokenizer):
    text = ODD_TEXTS[number]
    ids, starts = trained_tokenizer.encode_with_starts(text)
    for token in range(0, len(ids), 7):
        n_bytes = len(trained_tokenizer.decode_bytes(ids[:token]))
        assert starts[token] == len(text.encode()[:n_bytes].decode(errors="ignore"))


@pytest.fixture(scope="module")
def trained_tokenizer():
    texts = [Path(random.__file__).read_text(encoding="utf-8"), SOURCE]
    return train_tokenizer(iter(texts), TokenizerConfig(vocab_size=1024))


@pytest.mark.parametrize("quality", [None, "<|quality:high|>"])
def test_quality_stands_at_the_head_of_every_piece(quality, byte_tokenizer):
    """If it fails, asking for the best quality asks for something that training never saw."""
    pieces = list(
        pack_document(
            EncodedText(SOURCE, byte_tokenizer),
            100,
            block_tokens=256,
            fim=FimConfig(),
            chance=random.Random(0),
            quality=quality,
        )
    )
    start = FimLayout.of(byte_tokenizer, quality).start
    assert len(start) == (1 if quality is None else 2)
    assert all(piece.ids[: len(start)] == start for piece in pieces)
    assert sum(len(piece.ids) for piece in pieces[:1]) <= 100
    assert all(len(piece.ids) <= 256 for piece in pieces)
