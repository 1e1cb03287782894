"""What a record says of itself: its language, and names that are fit to be written."""

import hashlib
import json
from dataclasses import replace

import pytest

from training.corpus.config import RecordFields
from training.corpus.readers.records.record_parsing import RecordParser
from training.corpus.readers.source_file import PRIVATE

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


@pytest.mark.parametrize(
    ("globs", "private"),
    [
        (None, set()),
        ((), {"db/secrets.py"}),
        (("own/*", "*.ipynb"), {"db/secrets.py", "own/keys.py", "n.ipynb"}),
    ],
)
def test_private_records_are_dropped_by_their_path_and_nothing_of_them_is_kept(globs, private):
    """If it fails, a record of a private file is trained on, though a file of that name is not."""
    parser = replace(PARSER, private_globs=globs)
    files = {
        path: parser.parse({"content": NOTEBOOK, "path": path, "repo_name": "a/b"}, 1)
        for path in ("a.py", "db/secrets.py", "own/keys.py", "n.ipynb")
    }
    assert {path for path, file in files.items() if file.problem == PRIVATE} == private
    assert all(not files[path].data for path in private)
    assert {file.origin.package for file in files.values()} == {"a/b"}


@pytest.mark.parametrize("path", ["a.ipynb", "SConstruct", "x.pyx", "a.py"])
def test_a_document_of_a_corpus_is_code_whatever_its_path(path):
    """If it fails, a published corpus with a notebook cannot be fetched again."""
    text = "y = 2\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    file = parse(content=text, path=path, sha256=digest)
    assert (file.path, file.data, file.problem) == (path, b"y = 2\n", None)
    other = parse(content="{", path="a.ipynb", sha256=digest)
    assert other.problem == "damaged notebook", "the hash of another text says nothing"


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


@pytest.mark.parametrize(
    ("row", "name", "version", "licence", "facts"),
    [
        (  # The Stack
            {
                "content": "x = 1\n",
                "lang": "Python",
                "max_stars_repo_path": "a/b.py",
                "max_stars_repo_name": "o/r",
                "max_stars_repo_head_hexsha": "c0ffee",
                "max_stars_repo_licenses": ["MIT", "Apache-2.0"],
                "max_stars_count": 12,
            },
            *("o/r", "c0ffee", "Apache-2.0 AND MIT", {"stars": 12.0}),
        ),
        (  # codeparrot-clean
            {
                "repo_name": "o/r",
                "path": "a/b.py",
                "copies": "3",
                "size": "6",
                "content": "x = 1\n",
                "license": "bsd-3-clause",
                "hash": 1,
                "line_mean": 5.0,
                "autogenerated": False,
            },
            *("o/r", "", "BSD-3-Clause", {}),
        ),
    ],
)
def test_the_columns_of_known_datasets_are_understood(row, name, version, licence, facts):
    """If it fails, documents of public datasets lose their repository or their licence."""
    file = PARSER.parse(row, 1)
    assert (file.path, file.data) == ("a/b.py", b"x = 1\n")
    assert (file.origin.package, file.origin.version) == (name, version)
    assert (file.origin.licence, file.origin.facts) == (licence, facts)


@pytest.mark.parametrize(
    ("value", "level"), [("high", "high"), (b"low", "low"), (0.7, ""), ("good", ""), (None, "")]
)
def test_a_level_of_quality_is_read_back_and_nothing_else(value, level):
    """If it fails, a published corpus loses its labels, or a score of another kind becomes one."""
    assert PARSER.parse({"content": "x", "quality": value}, 1).origin.quality == level
