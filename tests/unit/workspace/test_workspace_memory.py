"""What is known of a workspace: files as indexed, open documents as they are, never the own one."""

import pytest

from server.workspace.sources.token_index import EncodedFile, build_token_index
from server.workspace.sources.workspace_memory import MAX_DOCUMENTS, WorkspaceMemory
from training.artifact.tokenizer import CodeTokenizer


@pytest.fixture
def memory(byte_tokenizer, tmp_path):
    return WorkspaceMemory(byte_tokenizer, tmp_path / "tokenizer.json")


def index(memory, files):
    tokenizer = memory._tokenizer
    assert isinstance(tokenizer, CodeTokenizer)
    encoded = [EncodedFile.encode(path, text, tokenizer) for path, text in files.items()]
    return build_token_index(encoded, tokenizer)


def knows(memory, uri, text):
    ids = memory._tokenizer.encode(text)
    return any(match.n_tokens == len(ids) for match in memory.recall(uri).find(ids))


def test_the_own_document_does_not_count(memory):
    """If it fails, a file is completed from itself as it was on disk."""
    memory.use_files(index(memory, {"/w/a.py": "alpha()\n", "/w/b.py": "beta()\n"}), built=0.0)
    assert not knows(memory, "file:///w/a.py", "alpha")
    assert knows(memory, "file:///w/a.py", "beta")
    assert knows(memory, "file:///w/b.py", "alpha")
    assert knows(memory, "untitled:1", "alpha")


def test_a_workspace_without_files_is_no_obstacle(memory):
    """If it fails, nothing is suggested in a new folder."""
    memory.use_files(index(memory, {}), built=0.0)
    assert memory.recall("file:///w/a.py").find([1, 2]) == []


def test_an_open_document_counts_instead_of_its_file(memory):
    """If it fails, a name that was just changed is suggested as it was."""
    memory.use_files(index(memory, {"/w/a.py": "former()\n", "/w/b.py": "x\n"}), built=0.0)
    memory.update_document("file:///w/a.py", "renamed()\n")
    assert knows(memory, "file:///w/b.py", "renamed")
    assert not knows(memory, "file:///w/b.py", "former")
    memory.update_document("file:///w/a.py", "again()\n")
    assert not knows(memory, "file:///w/b.py", "renamed")
    memory.update_document("file:///w/a.py", None)  # closed
    assert knows(memory, "file:///w/b.py", "former")


def test_secrets_of_open_documents_are_not_known(memory):
    memory.update_document("file:///w/a.py", "password = 'hunter2hunter2'\nalpha = 1\n")
    assert knows(memory, "file:///w/b.py", "alpha")
    assert not knows(memory, "file:///w/b.py", "hunter2")


def test_a_document_with_half_a_surrogate_pair_is_known(memory):
    """If it fails, one such document ends the worker, and the next one, which is sent it again."""
    memory.update_document("file:///w/a.py", "alpha = '\ud800'\n")
    assert knows(memory, "file:///w/b.py", "alpha = '\ufffd'")


def test_documents_are_bounded(memory):
    for number in range(MAX_DOCUMENTS + 5):
        memory.update_document(f"file:///w/{number}.py", f"name_{number} = 1\n")
    memory.update_document("file:///w/huge.py", "x" * 1_000_000)
    assert memory.describe().documents == MAX_DOCUMENTS
    assert not knows(memory, "file:///w/b.py", "name_4 ")
    assert knows(memory, "file:///w/b.py", f"name_{MAX_DOCUMENTS + 4} ")


def test_files_can_be_forgotten(memory):
    """If it fails, a private file is suggested from until the workspace is indexed again."""
    memory.use_files(index(memory, {"/w/a.py": "alpha()\n"}), built=0.0)
    memory.update_document("file:///w/c.py", "beta()\n")
    assert knows(memory, "file:///w/b.py", "alpha")
    memory.forget_files()
    assert not knows(memory, "file:///w/b.py", "alpha")
    assert knows(memory, "file:///w/b.py", "beta")
    assert memory.describe().files == 0


def test_figures_say_what_is_known(memory):
    assert memory.describe().age_s is None
    memory.use_files(index(memory, {"/w/a.py": "alpha()\n"}), built=0.0)
    info = memory.describe()
    assert (info.files, info.documents, info.files_left_out) == (1, 0, 0)
    assert info.tokens == len("alpha()\n") + 2
    assert info.age_s > 1e9
