"""What a record says of itself: its language, and names that are fit to be written."""

import json

import pytest

from training.corpus.config import RecordFields
from training.corpus.readers.records.record_parsing import RecordParser

PARSER = RecordParser(fields=RecordFields(), package="a.jsonl", max_bytes=1000)
NOTEBOOK = json.dumps({"cells": [{"cell_type": "code", "source": "y = 2"}]})


def parse(**row):
    return PARSER.parse({"content": "x = 1\n", "license": "mit", **row}, 1)


@pytest.mark.parametrize(
    ("language", "path", "is_kept"),
    [
        (None, None, True),
        (None, "a/b.py", True),
        (None, "a/B.PY", True),
        (None, "src/cart.js", False),
        (None, "README", False),
        (None, ".py/readme.md", False),
        ("Python", "bin/tool", True),
        ("python3", None, True),
        (b"Python", "a.py", True),
        ("JavaScript", "a.py", False),
        ("JavaScript", None, False),
        ("C++", "a.cpp", False),
        ("", "a.py", True),
        (7, "a.py", True),
    ],
)
def test_only_python_is_kept(language, path, is_kept):
    """If it fails, JavaScript of a mixed dataset is trained on as Python."""
    file = parse(language=language, path=path)
    assert file.problem == (None if is_kept else "not Python")


@pytest.mark.parametrize("key", ["lang", "programming_language"])
def test_other_names_of_the_field_count(key):
    assert parse(**{key: "Go"}).problem == "not Python"


@pytest.mark.parametrize(
    "row", [{"path": "a.ipynb"}, {"language": "Jupyter Notebook"},
            {"path": "a.ipynb", "language": "Python"}],
)  # fmt: skip
def test_notebooks_are_read_as_their_code(row):
    assert parse(content=NOTEBOOK, **row).data == b"y = 2\n"
    assert parse(content="{", **row).problem == "damaged notebook"


def test_names_are_one_line_of_printable_text():
    """If it fails, a package's name adds a line to NOTICE, or stops the writing of the corpus."""
    file = parse(repo_name="x\ny\x00\u2028z", path="a\tb\udcff.py", version=7)
    assert (file.origin.package, file.path, file.origin.version) == ("x y z", "a b\ufffd.py", "7")
    file = parse(repo_name={"a": 1}, path="d/" * 5000 + "a.py", version=10**400)
    assert file.origin.package == "a.jsonl"
    assert len(file.path) <= 4096
    assert not file.origin.version


@pytest.mark.parametrize(
    ("stars", "counted"),
    [(7, 7), ("12", 12), (10**400, 0), ("9" * 400, 0), (float("nan"), 0), (float("inf"), 0),
     ("1e999", 0), ([1], 0), (None, 0), ("many", 0)],
)  # fmt: skip
def test_stars_are_a_number_or_nothing(stars, counted):
    assert parse(stars=stars).origin.facts.get("stars", 0) == counted


@pytest.mark.parametrize(
    ("licence", "found"),
    [("mit", "MIT"), (["mit"], "MIT"), (b"mit", "MIT"), ([], "UNKNOWN"), (7, "UNKNOWN"),
     ({"key": "mit"}, "UNKNOWN"), (["mit", None], "MIT AND UNKNOWN"), (["mit"] * 51, "UNKNOWN"),
     ("(" * 5000, "UNKNOWN")],
)  # fmt: skip
def test_licences_are_an_expression_or_unknown(licence, found):
    assert parse(license=licence).origin.licence == found
