"""What the worker is told of the workspace: documents, indexes, and when to forget them."""

from loop_double import CompleterDouble, load

from server.indexing.workspace_indexer import IndexRequest, index_workspace
from server.settings import ContextSettings, Settings
from server.worker.messages import (
    ChangeSettings,
    CheckHealth,
    Completed,
    Load,
    UpdateDocument,
    UseIndex,
)
from server.workspace.memory_info import MemoryInfo


class MemoryDouble:
    """Remembers texts instead of tokens."""

    tokenizer_file = "/model/tokenizer.json"
    has_forgotten_files = False
    tokenizer_sha256 = ""

    def __init__(self):
        self.texts, self.indexes = {}, []

    def update_document(self, uri, text):
        self.texts[uri] = text

    def use_files(self, index, *, built):
        self.indexes.append((index, built))

    def forget_files(self):
        self.has_forgotten_files = True

    def recall(self, uri):
        return "".join(text for other, text in self.texts.items() if text and other != uri)

    def describe(self):
        return MemoryInfo(files=0, files_left_out=0, documents=1, tokens=1, age_s=None)


def test_requests_know_the_other_documents_as_they_are(server, monkeypatch, tmp_path):
    """If it fails, a line that was just written next door is not known, or one that is gone is."""
    memory = MemoryDouble()
    monkeypatch.setattr(CompleterDouble, "workspace_memory", memory)
    server.send(Load(settings=Settings()))
    assert server.receive().tokenizer == "/model/tokenizer.json"
    server.send(UpdateDocument(uri="a", text="<a>"), UpdateDocument(uri="b", text="<b>"))
    server.ask(1, "x")
    assert server.receive().result.suggestion.text.startswith("x<a><b>")
    server.send(UpdateDocument(uri="a", text=None))
    server.ask(2, "x")
    assert server.receive().result.suggestion.text.startswith("x<b>")
    server.send(UseIndex(folder=str(tmp_path)))  # nothing is in it
    server.send(CheckHealth(id=3))
    assert server.receive().backend.memory.documents == 1
    assert memory.indexes == []
    assert not memory.has_forgotten_files
    server.send(UseIndex(folder=""))
    server.send(CheckHealth(id=3))
    server.receive()
    assert memory.has_forgotten_files
    forgets = Settings(context=ContextSettings(workspace_memory=False))
    server.send(ChangeSettings(settings=forgets))
    server.ask(4, "x")
    assert not server.receive().result.suggestion.text.startswith("x<b>")


def test_a_document_or_an_index_that_fails_does_not_end_the_worker(
    server, monkeypatch, tmp_path, byte_tokenizer, caplog
):
    """If it fails, one file ends suggestions for all: each new worker is sent the same."""

    def fail(*_, **__):
        raise TypeError("strange")

    memory = MemoryDouble()
    memory.tokenizer_sha256 = byte_tokenizer.sha256
    monkeypatch.setattr(memory, "update_document", fail)
    monkeypatch.setattr(memory, "use_files", fail)
    monkeypatch.setattr(CompleterDouble, "workspace_memory", memory)
    load(server)
    (tmp_path / "a.py").write_text("alpha = 1\n")
    request = IndexRequest(roots=[tmp_path], private_globs=(), cache=tmp_path / "cache")
    folder = index_workspace(request, byte_tokenizer)
    server.send(UpdateDocument(uri="a", text="<a>"), UseIndex(folder=str(folder)))
    server.ask(1, "x")
    assert isinstance(server.receive(), Completed)
    assert [record.exc_info[0] for record in caplog.records] == [TypeError] * 2


def test_what_was_suggested_after_a_withdrawn_file_is_forgotten(server, monkeypatch, tmp_path):
    """If it fails, a file that has become private is suggested from until the line ends."""
    monkeypatch.setattr(CompleterDouble, "workspace_memory", MemoryDouble())
    load(server)
    server.send(UpdateDocument(uri="a", text="<a>"), UseIndex(folder=str(tmp_path)))
    server.ask(1, "x")
    server.receive()
    assert CompleterDouble.forgotten == []
    server.send(UpdateDocument(uri="a", text=None), UseIndex(folder=""))
    server.ask(2, "x")
    server.receive()
    assert CompleterDouble.forgotten == [True, False]  # only what other files made likely; all


def test_an_index_by_another_tokenizer_is_not_used(server, monkeypatch, tmp_path, byte_tokenizer):
    """If it fails, each request after a change of the model fails, or suggests other words."""
    memory = MemoryDouble()
    monkeypatch.setattr(CompleterDouble, "workspace_memory", memory)
    load(server)
    (tmp_path / "a.py").write_text("alpha = 1\n")
    request = IndexRequest(roots=[tmp_path], private_globs=(), cache=tmp_path / "cache")
    folder = index_workspace(request, byte_tokenizer)
    for sha256, n_used in (("another", 0), (byte_tokenizer.sha256, 1)):
        memory.tokenizer_sha256 = sha256
        server.send(UseIndex(folder=str(folder)), CheckHealth(id=3))
        server.receive()
        assert len(memory.indexes) == n_used
