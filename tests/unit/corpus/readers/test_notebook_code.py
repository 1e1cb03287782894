"""Notebooks as Python: cells in order, commands as comments, other languages left out."""

import ast
import json

import pytest

from training.corpus.config import CorpusConfig, SourcesConfig
from training.corpus.readers.corpus_source import CorpusSource
from training.corpus.readers.notebook_code import extract_code, read_notebook
from training.corpus.readers.source_contents import open_source
from training.corpus.readers.source_file import SourceFile


def make(*cells, **metadata):
    made = [
        cell if isinstance(cell, dict) else {"cell_type": "code", "source": cell} for cell in cells
    ]
    return {"cells": made, "metadata": metadata, "nbformat": 4}


def convert(*cells, **metadata):
    return extract_code(make(*cells, **metadata))


def test_the_code_cells_are_one_document_in_order():
    text = {"cell_type": "markdown", "source": "# a\n"}
    found = convert("import os\n", text, ["x = 1\n", "y = 2"], "", {"cell_type": "code"})
    assert found == "import os\n\nx = 1\ny = 2\n"


def test_version_3_is_read_too():
    cell = {"cell_type": "code", "input": ["x = 1\n"], "language": "python"}
    assert extract_code({"worksheets": [{"cells": [cell]}], "nbformat": 3}) == "x = 1\n"


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("%matplotlib inline\nx = 1", "# %matplotlib inline\nx = 1"),
        ("!pip install -q foo (bar\nx = 1", "# !pip install -q foo (bar\nx = 1"),
        ("if a:\n    !ls\nelse:\n    b()", "if a:\n    pass  # !ls\nelse:\n    b()"),
        ("files = !ls *.py\nprint(1)", "# files = !ls *.py\nprint(1)"),
        ("t = %timeit -o f()", "# t = %timeit -o f()"),
        ("foo.bar?", "# foo.bar?"),
        ("?foo", "# ?foo"),
        ("!echo a \\\n  b\nx = 1", "# !echo a \\\n#   b\nx = 1"),
        ("%%time\n%%capture out\nx = 1", "x = 1"),
        ("%%bash\nls -la", ""),
        ("%%html\n<b>", ""),
        ("x = (a\n     % b)", "x = (a\n     % b)"),
        ('s = """\n%d\n!important\n"""', 's = """\n%d\n!important\n"""'),
        ("x = a \\\n    % b", "x = a \\\n    % b"),
        ("x != y", "x != y"),
        ("x = 'it''s' + \"(\"\n!ls", "x = 'it''s' + \"(\"\n# !ls"),
        ("x = 1  # ( why?\n%pwd", "x = 1  # ( why?\n# %pwd"),
        ("\r\nx = 1\r\n", "x = 1"),
    ],
)
def test_commands_become_comments_and_code_stays(cell, code):
    """If it fails, the model learns shell commands as Python, or loses code that looks like one."""
    found = convert(cell, "end = 1")
    assert found == (f"{code}\n\nend = 1\n" if code else "end = 1\n")
    ast.parse(found)


@pytest.mark.parametrize(
    "metadata",
    [{"kernelspec": {"language": "R"}}, {"language_info": {"name": "julia"}}],
)
def test_notebooks_in_other_languages_are_not_python(metadata):
    file = SourceFile(path="a.ipynb", data=json.dumps(make("x <- 1", **metadata)).encode())
    assert read_notebook(file).problem == "not Python"


def test_cells_in_other_languages_are_left_out():
    sql = {"cell_type": "code", "source": "select", "metadata": {"vscode": {"languageId": "sql"}}}
    assert convert(sql, "x = 1", language_info={"name": "python"}) == "x = 1\n"


@pytest.mark.parametrize(
    "data",
    [b"", b"x = 1\n", b"[]", b"{}", b'{"cells": 1}', b'{"cells": [' + b"[" * 5000, b"\xff\xfe",
     b'{"worksheets": 5}', b'{"worksheets": [7]}'],
)  # fmt: skip
def test_what_is_no_notebook_is_a_counted_drop(data):
    assert read_notebook(SourceFile(path="a.ipynb", data=data)).problem == "damaged notebook"


def test_odd_values_are_ignored():
    cells = [5, None, {"cell_type": "code", "source": 7}, {"cell_type": "code", "source": [1, "x"]},
             {"cell_type": "code", "source": "y", "metadata": [1]}]  # fmt: skip
    assert extract_code({"cells": cells, "metadata": 3}) == "x\n\ny\n"


def test_half_a_surrogate_pair_is_replaced():
    data = b'{"cells": [{"cell_type": "code", "source": "x = \'\\ud800\'"}]}'
    assert read_notebook(SourceFile(path="a.ipynb", data=data)).data.decode() == "x = '\ufffd'\n"


def test_long_strings_and_many_commands_take_linear_time():
    """If it fails, one notebook keeps a core busy for minutes, or fills the memory."""
    for cell in ("%%time\n" * 100_000, '"""' + "a\\n\n" * 300_000, "!ls\n" * 100_000,
                 "(" * 300_000, "x?" * 300_000, "a, " * 300_000):  # fmt: skip
        convert(cell)


def test_a_folder_gives_notebooks_if_asked(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "n.ipynb").write_text(json.dumps(make("y = 2\n", "%time z()")))
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "n-checkpoint.ipynb").write_text("{}")
    found = {}
    for notebooks in (False, True):
        config = CorpusConfig(
            out="x", licences=("MIT",), sources=SourcesConfig(notebooks=notebooks)
        )
        files = open_source(CorpusSource(name="p", path=tmp_path), config).files
        found[notebooks] = {file.path: file.data for file in files}
    assert found[False] == {"a.py": b"x = 1\n"}
    assert found[True] == {"a.py": b"x = 1\n", "n.ipynb": b"y = 2\n\n# %time z()\n"}
