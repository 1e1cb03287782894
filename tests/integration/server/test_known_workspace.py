"""A server that knows its workspace: files on disk, documents as they are now, and no secret."""

import time
from pathlib import Path

import pytest
from doubles.trusting_gate import copy_with_gate
from lsp_client import REPLY_TIMEOUT_S, Client, place

from server.completer import Completer
from server.suggestion.request import CompletionRequest
from training.artifact.bundled import BUNDLED_MODEL

pytestmark = pytest.mark.integration

AUTOGROUP = Path("/proc/self/autogroup")
PRIORITY = AUTOGROUP.read_text() if AUTOGROUP.exists() else ""  # before anything is indexed
KEY = "sk_live_abcdefghij0123456789ABCD"
CALL = "registry.lookup_by_canonical_name(canonical_name, default_value)"
ON_DISK = f"""\
API_KEY = "{KEY}"


def find(registry, canonical_name, default_value):
    return {CALL}


def find_again(registry, canonical_name, default_value):
    return {CALL}
"""
OPTIONS = {
    "suggestion": {"eagerness": "always", "extent": "line"},
    "context": {"workspace_memory": True, "workspace_tokens": 0},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("workspace")
    (root / "registry.py").write_text(ON_DISK)
    return root


@pytest.fixture(scope="module")
def client(tiny_artifact, root, tmp_path_factory):
    """A tiny model, which knows no such code, with a gate that trusts every match."""
    model = copy_with_gate(tiny_artifact, tmp_path_factory.mktemp("known") / "model")
    with Client("--model", model) as client:
        client.initialize(options=OPTIONS, root=root)
        client.wait_for_state("ready")
        yield client


def wait_for_files(client, n_files):
    deadline = time.monotonic() + REPLY_TIMEOUT_S
    while time.monotonic() < deadline:
        health = client.command("parrotlet.health")
        if health["memory"]["files"] == n_files:
            return health
        time.sleep(0.1)
    raise AssertionError(f"the workspace is not indexed: {health}")


def complete(client, uri, text, explained=None):
    """What is suggested at the end of a text; why is added to ``explained``."""
    client.open(uri, text)
    at = {"line": text.count("\n"), "character": len(text.rpartition("\n")[2])}
    try:
        items = client.items(uri, at["line"], at["character"])
        if explained is not None:
            explained.update(client.command("parrotlet.explain", {"uri": uri, "position": at}))
    finally:
        client.close_documents()
    return items[0]["insertText"] if items else ""


def test_files_on_disk_are_known(client, root):
    """If it fails, the index is built for nobody."""
    health = wait_for_files(client, 1)
    assert any(row[0] == "Workspace" and row[1].startswith("1 file,") for row in health["report"])
    text = "def get(registry, canonical_name, default_value):\n    return registry.lookup_by_can"
    explained = {}
    found = complete(client, (root / "new.py").as_uri(), text, explained)
    assert found == CALL.partition("by_can")[2]
    assert explained["known_from"] == "registry.py"
    assert ["Workspace", "Follows code in registry.py."] in explained["report"]


def test_a_file_that_is_indexed_itself_is_completed(client, root):
    """Of two files with the same line one is completed: the other one still knows it."""
    wait_for_files(client, 1)
    text = "def get(registry, canonical_name, default_value):\n    return registry.lookup_by_can"
    rest = CALL.partition("by_can")[2]
    uri = (root / "registry.py").as_uri()
    client.open(
        (root / "copy.py").as_uri(), f"def copy(registry, canonical_name):\n    {CALL}\n" * 2
    )
    assert complete(client, uri, text) == rest


@pytest.mark.skipif(not PRIORITY, reason="this kernel has no scheduling groups")
def test_indexing_slows_down_nobody_else(client, root):
    """If it fails, the editor and all that was started beside it run at the lowest priority."""
    wait_for_files(client, 1)
    assert AUTOGROUP.read_text() == PRIORITY


def test_a_document_is_known_as_it_is_now(client, root):
    """If it fails, a function that was just written is not known in the next file."""
    wait_for_files(client, 1)
    other = (root / "other.py").as_uri()
    line = "settings.frobnicate_every_widget(strength=11, colour=blue)"
    written = f"def f(settings):\n    {line}\n\n\ndef g(settings):\n    {line}\n"
    client.open(other, written)
    text = "def h(settings):\n    settings.frobnicate_ev"
    client.open((root / "new.py").as_uri(), text)
    at = place(text, "settings.frobnicate_ev")
    items = client.items((root / "new.py").as_uri(), *at)
    assert items[0]["insertText"] == line.partition("frobnicate_ev")[2]
    client.close_documents()


def test_a_secret_on_disk_is_never_suggested(client, root):
    """If it fails, a key in one file comes out in another, whether it is open or not."""
    wait_for_files(client, 1)
    client.open((root / "open.py").as_uri(), f'{ON_DISK}TOKEN = "{KEY}"\n')
    for text in ('API_KEY = "', 'API_KEY = "sk_live_abc', 'TOKEN = "', 'key = "sk_'):
        assert KEY[12:] not in complete(client, (root / "new.py").as_uri(), text)


def test_a_file_that_is_saved_is_known(client, root):
    wait_for_files(client, 1)
    (root / "second.py").write_text("x = 1\n")
    client.notify("workspace/didChangeWatchedFiles", {"changes": []})
    wait_for_files(client, 2)


@pytest.mark.parametrize("n_cut", [0, 1, 6])
def test_an_unfinished_document_takes_away_no_suggestion(n_cut):
    """If it fails, what was begun in two files is finished in neither of them."""
    head = "import json\n\nwith open(path) as file:\n    data = json.lo"
    request = CompletionRequest(
        text=head, offset=len(head), is_asked_for=True, document="file:///a"
    )
    completer = Completer.load(BUNDLED_MODEL)
    alone = completer.complete(request).suggestion.text
    memory = completer.create_memory()
    for name in "bcd":
        memory.update_document(f"file:///{name}", head[: len(head) - n_cut])
    completer.memory = memory.recall(request.document)
    assert completer.complete(request).suggestion.text == alone != ""
