"""Open documents and notebooks, as clients describe them, mistakes included."""

import json
import random

import pytest

from server.lsp.documents.document_changes import clamp_positions, read_place
from server.lsp.documents.open_documents import MAX_TEXTS, OpenDocuments
from server.syntax.open_brackets import statement_at


class Documents(OpenDocuments):
    """Documents that were opened, and what was said about them."""

    def __init__(self, *texts):
        self.warnings, self.lost = [], []
        super().__init__(lambda _, sentence: self.warnings.append(sentence), self.lost.extend)
        for uri, text in texts:
            self.open({"uri": uri, "languageId": "python", "version": 1, "text": text}, "utf-16")

    def send(self, uri, *changes, version=2):
        change = self.read({"uri": uri, "version": version}, list(changes))
        return None if change is None else self.change(change)

    def state(self, uri):
        """The text; None if it is unknown."""
        document = self.get(uri)
        return document.text if document.is_known else None


def partial(start, end, text):
    (line, column), (end_line, end_column) = start, end
    return {
        "range": {
            "start": {"line": line, "character": column},
            "end": {"line": end_line, "character": end_column},
        },
        "text": text,
    }


def test_changes_apply_in_order_each_to_the_text_that_the_last_one_left():
    """If it fails, the server completes a text that no editor shows."""
    documents = Documents(("a", "one\ntwo\n"))
    documents.send("a", partial((0, 0), (1, 0), ""), partial((0, 3), (0, 3), "!"))
    assert documents.state("a") == "two!\n"
    documents.send("a", {"text": "x"}, partial((0, 1), (0, 1), "y"))
    assert documents.state("a") == "xy"


@pytest.mark.parametrize("version", [None, -1, 0, 10**400, "3", 2.5, True, [], {}])
def test_versions_do_not_matter(version):
    """Many clients count in a way of their own; messages arrive in the order of their sending."""
    documents = Documents(("a", "x"))
    documents.send("a", partial((0, 1), (0, 1), "y"), version=version)
    documents.send("a", partial((0, 0), (0, 0), "w"), version=1)
    assert documents.state("a") == "wxy"
    change = documents.read({"uri": "a"}, [{"text": "z"}])
    assert documents.change(change).text == "z"


def test_null_means_absent():
    """If it fails, clients that write null where JavaScript writes nothing leave an old text."""
    documents = Documents(("a", "x"))
    documents.send("a", {"range": None, "rangeLength": None, "text": "whole"}, version=None)
    assert documents.state("a") == "whole"
    documents.send("a", {"rangeLength": 3, "text": "again"})
    assert documents.state("a") == "again"
    assert documents.lost == []


@pytest.mark.parametrize("number", [5.0, 2**31 - 1, 2**53 - 1, 10**400])
def test_numbers_are_read_as_generously_as_their_meaning_allows(number):
    documents = Documents(("a", "x\ny"))
    documents.send("a", partial((1.0, 0), (number, number), "z"))
    assert documents.state("a") == "x\nz"


INVALID = [
    *(None, 5, "x", [], [1], [None], {}, True, 1.5),
    *({"text": None}, {"text": 5}, {"range": 5, "text": "x"}, {"range": {}, "text": "x"}),
    *(partial((0, 1), (0, 0), "x"), partial((1, 0), (0, 5), "x"), partial((-1, 0), (0, 0), "x")),
    *(
        partial((0, "1"), (0, 1), "x"),
        partial((0, 0.5), (0, 1), "x"),
        partial((0, 0), (0, True), "x"),
    ),
    {"range": {"start": {"line": 0, "character": 0}, "end": None}, "text": "x"},
    {"range": {"start": {"line": 0}, "end": {"line": 0, "character": 1}}, "text": "x"},
]


@pytest.mark.parametrize("change", INVALID)
def test_what_is_no_change_makes_the_text_unknown_until_it_is_sent_again(change):
    """If it fails, the server completes a text that no editor shows, and says nothing."""
    documents = Documents(("a", "old"), ("b", "other"))
    documents.send("a", partial((0, 0), (0, 0), "x"), change)
    assert documents.state("a") is None
    assert documents.lost == ["a"]
    assert documents.state("b") == "other"
    documents.send("a", partial((0, 0), (0, 0), "x"))
    assert documents.state("a") is None
    assert "a" not in documents.texts()
    documents.send("a", {"text": "new"}, partial((0, 0), (0, 0), "x"))
    assert documents.state("a") == "xnew"


@pytest.mark.parametrize("changes", [None, 5, "x", {}, {"text": "x"}])
def test_changes_that_are_no_list_make_the_text_unknown(changes):
    documents = Documents(("a", "old"))
    documents.change(documents.read({"uri": "a", "version": 2}, changes))
    assert documents.state("a") is None


@pytest.mark.parametrize("identifier", [None, 5, [], {}, {"uri": None}, {"uri": 5}])
def test_a_change_of_no_document_may_be_one_of_any(identifier):
    documents = Documents(("a", "old"), ("b", "other"))
    assert documents.read(identifier, [{"text": "x"}]) is None
    assert documents.state("a") is None
    assert documents.state("b") is None
    assert documents.lost == ["a", "b"]
    documents.open({"uri": "a", "text": "new"}, "utf-16")
    assert documents.state("a") == "new"


@pytest.mark.parametrize("text", [None, 5, [], {}])
def test_a_document_that_is_opened_without_a_text_is_unknown(text):
    documents = Documents(("a", "old"), ("a", text))
    assert documents.state("a") is None
    for item in (None, 5, {}, {"uri": None, "text": "x"}):
        documents.open(item, "utf-16")
    assert len(documents) == 1


@pytest.mark.parametrize(
    ("message", "lost"),
    [
        (
            b'{"method":"textDocument/didChange","params":{"uri":"file:///w/a.py"',
            ["file:///w/a.py"],
        ),
        (
            b'{"method":"textDocument\\/didChange", "uri":"file:\\/\\/\\/w\\/a.py"',
            ["file:///w/a.py"],
        ),
        (b'{"method":"notebookDocument/didChange", \xff "uri":"untitled:\\u00e9"', ["untitled:é"]),
        (b'{"method":"textDocument/didOpen","params":{"uri":"file:///w/a.py"', ["file:///w/a.py"]),
        (b'{"method":"textDocument/didOpen","params":{"uri":"new"', []),
        (b'{"method":"textDocument/didChange","params":', ["file:///w/a.py", "untitled:é"]),
        (b'{"method":"workspace/didChangeConfiguration"', []),
        (b'{"method":"textDocument/hover","uri":"file:///w/a.py"', []),
        (b"{nonsense", []),
        (b"", []),
    ],
)
def test_a_broken_message_loses_the_documents_that_it_may_have_changed(message, lost):
    """If it fails, one damaged byte leaves an old text without a word."""
    documents = Documents(("file:///w/a.py", "x"), ("untitled:é", "y"))
    documents.distrust(message)
    assert documents.lost == lost


def test_any_json_is_a_change_or_none():
    chance = random.Random(0)
    values = [
        None,
        True,
        -1,
        0,
        1.5,
        10**400,
        "x",
        "\ud800",
        [],
        {},
        [{}],
        {"line": 0, "character": 0},
    ]
    keys = ["uri", "text", "range", "start", "end", "line", "character", "version"]

    def make(depth):
        if depth == 0 or chance.random() < 0.3:
            return chance.choice(values)
        if chance.random() < 0.3:
            return [make(depth - 1) for _ in range(chance.randrange(3))]
        return {chance.choice(keys): make(depth - 1) for _ in range(chance.randrange(4))}

    documents = Documents(("x", "text"))
    for _ in range(3000):
        params = {"position": make(3), "context": make(4), "textDocument": make(2), "uri": make(1)}
        json.dumps(clamp_positions(params))
        read_place(make(3))
        read_place(params)
        documents.open(make(3), "utf-16")
        documents.change(documents.read({"uri": "x"}, make(4)))
        documents.notebooks.open("n", make(3))
        documents.notebooks.change("n", make(3))


def test_a_change_to_a_document_that_is_not_open_is_one_warning():
    documents = Documents()
    assert documents.send("a", partial((0, 0), (0, 0), "x")) is None
    assert len(documents) == 0
    assert len(documents.warnings) == 1


def test_texts_come_latest_edited_first_and_not_all_of_them():
    """If it fails, excerpts come from files that nobody has touched for hours."""
    documents = Documents(("a", "1"), ("b", "2"), ("c", "3"))
    documents.send("a", partial((0, 0), (0, 0), "0"))
    assert list(documents.texts().items()) == [("a", "01"), ("c", "3"), ("b", "2")]
    many = Documents(*((str(i), "x") for i in range(1000)))
    assert len(many.texts()) == MAX_TEXTS


def cell(uri, *, is_code=True):
    return {"kind": 2 if is_code else 1, "document": uri}


def test_a_cell_has_the_code_cells_around_it():
    """If it fails, each cell of a notebook is completed as if it were alone, or with its prose."""
    texts = (("a", "x = 1\n"), ("prose", "# title"), ("b", "y"), ("c", "\r\nz\r\n"))
    documents = Documents(*texts)
    cells = [cell("a"), cell("prose", is_code=False), cell("b"), cell("gone"), cell("c")]
    documents.notebooks.open("n", cells)
    assert documents.text_around("b") == ("x = 1\n\n", "\n\n\r\nz")
    assert documents.text_around("prose") == ("", "")
    documents.notebooks.change("n", {"start": 0, "deleteCount": 2, "cells": [cell("c")]})
    assert documents.text_around("b")[0] == "\r\nz\n\n"
    documents.notebooks.close("n")
    assert documents.text_around("b") == ("", "")


@pytest.mark.parametrize(
    ("above", "closers"),
    [
        ('sql = """select', '"""'),
        ("sql = f'''select {name", "}'''"),
        ("plt.plot(x, [", "])"),
        ("%%latex\n$[0, 1)$", "]"),
        ("rows = (\r\n  1,\r\n", ")"),
    ],
)
def test_what_a_cell_leaves_open_ends_with_it(above, closers):
    """If it fails, all cells below are completed as the inside of a string or a call."""
    documents = Documents(("a", above), ("b", "x = 1"), ("c", ""))
    documents.notebooks.open("n", [cell("a"), cell("b"), cell("c")])
    text, _ = documents.text_around("c")
    assert text == above.rstrip("\r\n") + f"\n{closers}\n\nx = 1\n\n"
    assert statement_at(text).before.is_empty


@pytest.mark.parametrize("above", ["it = 'that\\'s", "# see (", "x = 1 + \\", "pass)", ""])
def test_a_cell_that_leaves_nothing_open_is_as_it_is(above):
    documents = Documents(("a", above), ("b", ""))
    documents.notebooks.open("n", [cell("a"), cell("b")])
    assert documents.text_around("b")[0] == f"{above}\n\n"


def test_cells_far_above_are_not_scanned_at_each_key():
    """If it fails, a notebook with much data in it holds up the server's loop."""
    data = "[" + "0, " * 40_000
    documents = Documents(("a", data), ("b", "(\n"), ("c", data), ("d", "f("), ("e", ""))
    documents.notebooks.open("n", [cell(uri) for uri in "abcde"])
    assert documents.text_around("e")[0] == f"{data}\n\n(\n\n{data}\n\nf(\n)\n\n"


@pytest.mark.parametrize(
    "array",
    [
        None,
        5,
        [],
        {},
        {"start": -1, "deleteCount": 0},
        {"start": 0, "deleteCount": 0, "cells": [5]},
    ],
)
def test_cells_of_a_notebook_that_is_not_understood_stand_alone(array):
    """If it fails, a cell is completed with cells above it that are not there."""
    documents = Documents(("a", "x = 1\n"), ("b", "y"))
    documents.notebooks.open("n", [cell("a"), cell("b")])
    documents.notebooks.change("n", array)
    assert documents.text_around("b") == ("", "")
