"""Packages as workspaces: the other files are known, the item's own file is not."""

from types import SimpleNamespace

import pytest

from evaluation.accuracy.items import Item
from evaluation.accuracy.workspaces import Workspaces
from evaluation.runs.corpus_documents import CorpusDocument
from server.memory.suffix_index import pack_tokens
from server.workspace.sources.source_files import find_sources
from server.workspace.sources.token_index import EncodedFile, build_token_index
from training.foundation.errors import ConfigError

DOCUMENTS = [
    CorpusDocument(package="one", path="a.py", text="alpha = 1\n"),
    CorpusDocument(package="one", path="inner/b.py", text="beta = 2\n"),
    CorpusDocument(package="two", path="a.py", text="gamma = 3\n"),
]


def index_bytes(root):
    files = (
        EncodedFile(path=file.path, tokens=pack_tokens(list(file.read().encode()), 256))
        for file in find_sources([root], ())
    )
    return build_token_index(files, SimpleNamespace(end_of_text_id=0, vocab_size=256))


def make_item(package, path):
    return Item(id="i", kind="mid", prefix="", suffix="", target="", package=package, path=path)


def knows(memory, text):
    ids = list(text.encode())
    return any(match.n_tokens == len(ids) for match in memory.find(ids))


def test_the_other_files_of_the_package_are_known():
    """If it fails, a model is measured with the answer in its memory, or with nothing."""
    with Workspaces(DOCUMENTS, index_bytes) as workspaces:
        memory = workspaces.recall(make_item("one", "a.py"))
        assert [knows(memory, name) for name in ("alpha", "beta", "gamma")] == [False, True, False]
        memory = workspaces.recall(make_item("one", "inner/b.py"))
        assert [knows(memory, name) for name in ("alpha", "beta")] == [True, False]


def test_an_item_of_no_package_is_refused():
    with (
        Workspaces(DOCUMENTS, index_bytes) as workspaces,
        pytest.raises(ConfigError, match="belongs to no package"),
    ):
        workspaces.recall(make_item("", ""))


@pytest.mark.parametrize(
    "path", ["../out.py", "/out.py", "a/../../out.py", "a\0.py", "", "x" * 999]
)
def test_a_path_that_leads_elsewhere_is_not_written(path, tmp_path, monkeypatch):
    """If it fails, a stranger's corpus writes files wherever it likes."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "inside"))
    (tmp_path / "inside").mkdir()
    documents = [
        CorpusDocument(package="one", path=path, text="x = 1\n"),
        CorpusDocument(package="one", path="a.py", text="alpha = 1\n"),
    ]
    with Workspaces(documents, index_bytes) as workspaces:
        memory = workspaces.recall(make_item("one", "b.py"))
        assert knows(memory, "alpha")
        assert [p.name for p in tmp_path.rglob("*.py")] == ["a.py"]
    assert list(tmp_path.rglob("*")) == [tmp_path / "inside"]


def test_indexes_are_in_the_order_of_need():
    with Workspaces(DOCUMENTS, index_bytes) as workspaces:
        assert knows(workspaces.recall(make_item("two", "b.py")), "gamma")
        assert knows(workspaces.recall(make_item("one", "b.py")), "alpha")
