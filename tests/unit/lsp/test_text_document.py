"""Positions and edits, as editors mean them."""

import random

import pytest

from server.lsp.documents.text_document import Edit, TextDocument, units_in

ENCODINGS = ["utf-8", "utf-16", "utf-32"]
HOSTILE = ["a", "é", "😋", "\n", "\r\n", "\r", "\x0c", "\u2028", "\x85", "\t", "\ud800", "中"]


def random_text(chance, n):
    return "".join(chance.choices(HOSTILE, k=n))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_offsets_and_positions_round_trip(encoding):
    """A position that shifts by one puts the suggestion into the middle of a word."""
    chance = random.Random(1)
    for _ in range(60):
        text = random_text(chance, 40)
        document = TextDocument(text, 1, encoding)
        for offset in range(len(text) + 1):
            if text[offset - 1 : offset + 1] == "\r\n":
                continue  # between the two halves of a line end there is no position
            line, column = document.position_of(offset)
            assert document.offset_at(line, column) == offset


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_edits_equal_edits_by_offset(encoding):
    """After thousands of small edits the server's text must still be the editor's."""
    chance = random.Random(2)
    document, text = TextDocument("", 1, encoding), ""
    for version in range(400):
        document.replace(text, version)
        ends = [i for i in range(len(text) + 1) if text[i - 1 : i + 1] != "\r\n"]
        start, end = sorted((chance.choice(ends), chance.choice(ends)))
        new = random_text(chance, chance.randint(0, 6))
        edit = Edit(
            start=document.position_of(start),
            end=document.position_of(end),
            text=new,
        )
        document.edit(edit, version)
        text = (text[:start] + new + text[end:])[-300:]
        assert document.text[-300:] == text


def test_only_real_line_ends_end_lines():
    """str.splitlines also splits at form feeds, which stand in the standard library's sources."""
    document = TextDocument("a\x0cb\u2028c\nd\re\r\nf", None, "utf-8")
    assert [document.line(i) for i in range(4)] == ["a\x0cb\u2028c", "d", "e", "f"]
    assert len(document.line_starts) == 4


def test_places_past_the_end_are_refused_or_moved():
    """A request past the end is a stale one; an edit past the end means the end."""
    document = TextDocument("ab\ncd", 1, "utf-16")
    for line, column in ((2, 0), (0, 3), (99, 99)):
        with pytest.raises(IndexError):
            document.offset_at(line, column)
    document.edit(Edit(start=(0, 99), end=(0, 99), text="!"), 2)
    document.edit(Edit(start=(99, 0), end=(99, 0), text="?"), 3)
    assert (document.text, document.version) == ("ab!\ncd?", 3)


def test_a_column_inside_a_character_means_its_beginning():
    """Editors that count differently must not split a character."""
    assert TextDocument("😋a", 1, "utf-16").offset_at(0, 1) == 0
    assert TextDocument("😋a", 1, "utf-8").offset_at(0, 3) == 0
    assert units_in("😋a", "utf-16") == 3
