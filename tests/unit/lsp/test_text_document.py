"""Positions and edits, as editors mean them, and what they cost."""

import random
import time

import pytest
from reference_editor import ReferenceEditor

from server.lsp.documents import chunked_text
from server.lsp.documents.text_document import Edit, TextDocument, units_in

ENCODINGS = ["utf-8", "utf-16", "utf-32"]
HOSTILE = ["a", "é", "😋", "\n", "\r\n", "\r", "\x0c", "\u2028", "\x85", "\t", "\ud800", "中"]
HALVES = ["\ud83d", "\ude0b"]  # a pair where they meet


def random_text(chance, n, characters=HOSTILE):
    return "".join(chance.choices(characters, k=n))


@pytest.fixture(params=[1, 3, chunked_text._MIN_CHUNK_CHARS])
def chunk_chars(request, monkeypatch):
    """Small chunks, so that their borders are everywhere."""
    monkeypatch.setattr(chunked_text, "_MIN_CHUNK_CHARS", request.param)


@pytest.mark.usefixtures("chunk_chars")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_offsets_and_positions_round_trip(encoding):
    """A position that shifts by one puts the suggestion into the middle of a word."""
    chance = random.Random(1)
    for _ in range(60):
        text = random_text(chance, 40)
        document = TextDocument(text, encoding)
        for offset in range(len(text) + 1):
            if text[offset - 1 : offset + 1] == "\r\n":
                continue  # between the two halves of a line end there is no position
            line, column = document.position_of(offset)
            assert document.offset_at(line, column) == offset


@pytest.mark.usefixtures("chunk_chars")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_document_is_what_the_editor_has_after_any_edits(encoding):
    """If it fails, suggestions are for a text that no editor shows."""
    chance = random.Random(2)
    characters = [*HOSTILE, *HALVES] if encoding == "utf-16" else HOSTILE
    for _ in range(60):
        text = random_text(chance, chance.randrange(60), characters)
        document, editor = TextDocument(text, encoding), ReferenceEditor(text, encoding)
        for _ in range(30):
            start, end = sorted((chance.randrange(12), chance.randrange(15)) for _ in range(2))
            new = random_text(chance, chance.choice([0, 0, 1, 3, 20]), characters)
            document.edit(Edit(start=start, end=end, text=new))
            editor.edit(start, end, new)
            assert document.text == editor.text
            assert document.position_of(len(document.text)) == editor.end


def test_only_real_line_ends_end_lines():
    """str.splitlines also splits at form feeds, which stand in the standard library's sources."""
    document = TextDocument("a\x0cb\u2028c\nd\re\r\nf", "utf-8")
    starts = [document.offset_at(line, 0) for line in range(5)]
    assert starts == [0, 6, 8, 11, 12]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_places_past_the_end_mean_the_end(encoding):
    """The protocol says so; a suggestion at the end of a line is for that line."""
    document = TextDocument("ab\r\n😋\n\ncd", encoding)
    assert document.offset_at(0, 99) == 2
    assert document.offset_at(1, 99) == 5
    assert document.offset_at(2, 1) == 6
    for line in (3, 4, 99, 2**31 - 1):
        assert document.offset_at(line, 2**31 - 1) == 9
    document.edit(Edit(start=(0, 99), end=(0, 99), text="!"))
    document.edit(Edit(start=(99, 0), end=(99, 0), text="?"))
    assert document.text == "ab!\r\n😋\n\ncd?"


def test_a_column_inside_a_character_means_its_beginning():
    """Editors that count differently must not split a character."""
    assert TextDocument("😋a", "utf-16").offset_at(0, 1) == 0
    assert TextDocument("😋a", "utf-8").offset_at(0, 3) == 0
    assert units_in("😋a", "utf-16") == 3


def test_two_halves_that_meet_are_a_character():
    """An editor in UTF-16 may send a pair in two edits."""
    document = TextDocument("ab", "utf-16")
    document.edit(Edit(start=(0, 1), end=(0, 1), text="\ude0b"))
    document.edit(Edit(start=(0, 1), end=(0, 1), text="\ud83d"))
    assert document.text == "a😋b"
    assert document.offset_at(0, 3) == 2


# An edit costs its own length and the square root of the text's: four times that, twice the time
LARGE = {
    "short lines": lambda n: "ab = cd\n" * (n // 8),
    "empty lines": lambda n: "\n" * n,
    "one line": lambda n: "1234567, " * (n // 9),
    "one line with an accent": lambda n: "é" + "1234567, " * (n // 9),
    "one line of emoji": lambda n: "😋" * n,
    "one line of tabs": lambda n: "\t" * n,
    "carriage returns": lambda n: "\r" * n,
}
N_CHARS, N_EDITS = 250_000, 300


@pytest.mark.parametrize("name", LARGE)
def test_an_edit_costs_less_than_the_text_is_long(name):
    """If it fails, "replace all" in a large file, or typing in a long line, freezes the server."""

    def measure(n_chars):
        document, chance = TextDocument(LARGE[name](n_chars), "utf-16"), random.Random(1)
        last_line, last_column = document.position_of(len(document.text))
        started = time.process_time()
        for _ in range(N_EDITS):
            place = (chance.randrange(last_line + 1), chance.randrange(max(8, last_column)))
            document.edit(Edit(start=place, end=place, text="x"))
        seconds = time.process_time() - started
        assert len(document.text) == len(LARGE[name](n_chars)) + N_EDITS
        return seconds

    short = min(measure(N_CHARS) for _ in range(4))  # the least, since others disturb it
    assert min(measure(4 * N_CHARS) for _ in range(4)) < 3.3 * max(short, 0.005)
    assert short < N_EDITS * 0.005


def test_many_edits_leave_no_crumbs():
    """If it fails, a document becomes slower the longer it is edited."""
    document, chance = TextDocument("", "utf-16"), random.Random(3)
    for _ in range(1200):
        line, column = document.position_of(len(document.text))
        at = (chance.randrange(line + 1), chance.randrange(column + 8))
        document.edit(Edit(start=at, end=at, text=random_text(chance, 20)))
    document.edit(Edit(start=(0, 0), end=document.position_of(len(document.text)), text="end"))
    assert document.text == "end"
    assert len(document._text._chunks) == 1
