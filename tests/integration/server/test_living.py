"""A long session: settings that change, a worker that dies, suggestions computed ahead."""

import os
import signal
import time

import psutil
import pytest
from doubles.adaptation_double import AdaptationDouble
from lsp_client import REPLY_TIMEOUT_S, Client, events, place

pytestmark = pytest.mark.integration

URI = "file:///w/shapes.py"
ALWAYS = {"suggestion": {"eagerness": "always"}}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("log") / "events.jsonl"


@pytest.fixture(scope="module")
def server(tiny_artifact, log):
    with Client("--model", tiny_artifact, "--event-log", log) as client:
        options = {**ALWAYS, "context": {"workspace_tokens": 0}}  # not of another test's documents
        client.initialize(options=options)
        client.wait_for_state("ready")
        yield client


@pytest.fixture
def shared(server):
    """A server that has loaded the model, with the settings that it was started with."""
    yield server
    server.close_documents()
    server.notify("workspace/didChangeConfiguration", {"settings": {"parrotlet": {}}})


@pytest.fixture
def uri(request):
    return f"file:///w/{request.node.originalname}.py"


def cut(text):
    """A text whose method has yet to return, and the place where."""
    start = text.index(" math.pi * self.radius**2")
    text = text[:start] + text[text.index("\n", start) :]
    return text, place(text, 'area of the circle."""\n        return')


def wait_until_extent(client, at, is_right):
    """Requests suggestions until one has the extent that the settings demand."""
    deadline = time.monotonic() + REPLY_TIMEOUT_S
    while time.monotonic() < deadline:
        client.items(URI, *at)
        if is_right(client.command("parrotlet.explain")["extent"]):
            return
    raise AssertionError("the setting has no effect")


def test_settings_change_while_it_runs(client, known_module):
    """If it fails, a changed setting needs a restart of the editor, or has no effect."""

    def configure(settings):
        client.configuration = settings
        client.notify("workspace/didChangeConfiguration", {"settings": None})

    client.configuration = {"suggestion": {"extent": "line"}, "client": {"enable": True}}
    client.initialize(options=ALWAYS)
    text = known_module.replace('        """Return the area of the circle."""\n', "")
    client.open(URI, text)
    at = place(text, "def area(self) -> float:")
    wait_until_extent(client, at, lambda extent: extent == "line")
    worker = psutil.Process(client.worker_pid())
    configure({"suggestion": {"extent": "auto"}})
    client.wait(lambda m: m.get("method") == "workspace/configuration" and m["id"] != 1)
    wait_until_extent(client, at, lambda extent: extent != "line")
    assert client.worker_pid() == worker.pid  # the model was not loaded again for that
    configure({"suggestion": {"extend": "auto"}})
    shown = client.wait(lambda m: m.get("method") == "window/showMessage")["params"]["message"]
    assert "did not change this setting" in shown
    assert "extent" in shown  # the near name
    configure({"engine": {"threads": 1}})
    worker.wait(REPLY_TIMEOUT_S)  # the engine's settings need the model loaded again
    assert client.items(URI, *at, triggerKind=1)


@pytest.mark.parametrize("other", [{"python": {"x": 1}}, None, {}, "x", {"parrotlet": "x"}])
def test_a_push_of_other_sections_changes_nothing(shared, known_module, other):
    """If it fails, an editor that changes another server's settings turns privacy globs off."""
    uri = "file:///w/my_notes.py"
    text, at = cut(known_module)
    shared.open(uri, text)
    assert shared.items(uri, *at)
    pushed = {"settings": {"parrotlet": {"private_globs": ["my_*"]}}}
    shared.notify("workspace/didChangeConfiguration", pushed)
    assert not shared.items(uri, *at)
    shared.notify("workspace/didChangeConfiguration", {"settings": other})
    assert not shared.items(uri, *at)


def test_a_worker_that_dies_answers_its_request_and_is_restarted(shared, uri, log, known_module):
    """If it fails, what kills the model ends all ghost text until the editor is restarted."""
    text, at = cut(known_module)
    shared.open(uri, text)
    (wanted,) = shared.items(uri, *at)
    shared.insert(uri, 2, 0, 0, "\n")
    n_seen = len(shared.seen)
    worker = shared.worker_pid()
    os.kill(worker, signal.SIGSTOP)
    asked = shared.ask(uri, at[0] + 1, at[1])
    shared.wait_for_state("busy", skip=n_seen)
    os.kill(worker, signal.SIGKILL)
    assert shared.reply(asked)["result"]["items"] == []
    assert events(log)[-1]["stage"] == "failed"
    status = shared.wait_for_state("starting", skip=n_seen)
    assert "SIGKILL" in status["reason"]
    (item,) = shared.items(uri, at[0] + 1, at[1])  # waits for the new one
    assert item["insertText"] == wanted["insertText"]


def test_the_next_suggestion_is_computed_when_one_is_accepted(shared, uri, log, known_module):
    """If it fails, accepting a suggestion is followed by a pause."""
    start = known_module.index("        return math.pi * self.radius**2")
    text = known_module[:start]
    shared.open(uri, text + "\n")
    line, column = place(text + "\n", '"""Return the area of the circle."""\n')
    (item,) = shared.items(uri, line, column)[:1]
    n_before = len(events(log))
    shared.insert(uri, 2, line, column, item["insertText"])
    deadline = time.monotonic() + REPLY_TIMEOUT_S
    while len(events(log)) == n_before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(events(log)) == n_before + 1  # nobody has asked yet
    taken = item["insertText"].split("\n")
    end = (line + len(taken) - 1, len(taken[-1]) + (column if len(taken) == 1 else 0))
    shared.items(uri, *end)
    shared.command("parrotlet.explain")
    assert len(events(log)) == n_before + 1  # it was there already


def test_why_nothing_is_shown_speaks_of_the_request_that_was_made(shared, uri, known_module):
    """If it fails, a private file is explained by what another file's request came to."""
    text, at = cut(known_module)
    shared.open(uri, text)
    assert shared.items(uri, *at)
    shown = shared.command("parrotlet.explain")
    assert shown["summary"].startswith("Suggested a ")
    assert (shown["eagerness"], shown["needed_confidence"]) == ("always", 0)
    shared.open("file:///w/.env", "KEY=")
    for other, word in (("file:///w/.env", "Private"), ("file:///w/none.py", "not open")):
        assert shared.items(other, 0, 0) == []
        explanation = shared.command("parrotlet.explain")
        assert explanation["stage"] == "withheld"
        assert word in explanation["summary"]


def test_health_says_what_runs_and_how(shared, known_module):
    health = shared.command("parrotlet.health")
    assert health["state"] in {"ready", "idle"}
    assert health["parameters"] > 1000
    assert health["precision"] in {"int8", "bfloat16", "float32"}
    assert 20 < health["server_mib"] < 1000
    assert 20 < health["worker_mib"] < 1000
    rows = dict(health["report"])
    assert rows["State"] == "ready"
    assert rows["Threads"] == str(health["threads"])
    assert not any("_" in word for row in health["report"] for word in row)
    statistics = shared.command("parrotlet.statistics")
    assert dict(statistics["report"])["Shown"] == str(statistics["shown"])


def test_cells_of_a_notebook_are_one_text(shared, known_module):
    """If it fails, each cell is completed as if it stood alone."""
    start = known_module.index("        return math.pi * self.radius**2")
    cells = {"c:1": known_module[:start], "c:2": "# prose", "c:3": "x = 1\n        return m"}
    shared.notify(
        "notebookDocument/didOpen",
        {
            "notebookDocument": {
                "uri": "file:///w/n.ipynb",
                "notebookType": "jupyter-notebook",
                "version": 1,
                "cells": [
                    {"kind": 1 if uri == "c:2" else 2, "document": uri} for uri in ("c:1", "c:2")
                ],
            },
            "cellTextDocuments": [
                {"uri": uri, "languageId": "python", "version": 1, "text": cells[uri]}
                for uri in ("c:1", "c:2")
            ],
        },
    )
    structure = {
        "array": {"start": 2, "deleteCount": 0, "cells": [{"kind": 2, "document": "c:3"}]},
        "didOpen": [{"uri": "c:3", "languageId": "python", "version": 1, "text": "        retur"}],
    }
    shared.notify(
        "notebookDocument/didChange",
        {
            "notebookDocument": {"uri": "file:///w/n.ipynb", "version": 2},
            "change": {"cells": {"structure": structure}},
        },
    )
    at = {"line": 0, "character": 13}
    typed = {
        "document": {"uri": "c:3", "version": 2},
        "changes": [{"range": {"start": at, "end": at}, "text": "n m"}],
    }
    shared.notify(
        "notebookDocument/didChange",
        {
            "notebookDocument": {"uri": "file:///w/n.ipynb", "version": 3},
            "change": {"cells": {"textContent": [typed]}},
        },
    )
    (item,) = shared.items("c:3", 0, 16)
    assert item["insertText"] == "ath.pi * self.radius**2"
    assert item["range"]["start"] == {"line": 0, "character": 16}
    shared.notify(
        "notebookDocument/didClose",
        {
            "notebookDocument": {"uri": "file:///w/n.ipynb"},
            "cellTextDocuments": [{"uri": uri} for uri in cells],
        },
    )
    assert shared.items("c:3", 0, 0) == []


def test_modules_of_the_workspace_reach_the_model(client, log, known_module, tmp_path):
    """If it fails, the model writes calls of functions it cannot see."""
    root = tmp_path / "w"
    (root / "tools").mkdir(parents=True)
    (root / "tools" / "__init__.py").write_text("")
    (root / "tools" / "text.py").write_text("def slugify(text: str, *, most: int = 8): ...\n")
    (root / ".env").write_text("KEY=1\n")
    client.initialize(options=ALWAYS, root=root)
    uri = (root / "app.py").as_uri()
    alone = "import math\n\n\nx = math"
    client.open(uri, alone)
    n_before = len(events(log))
    client.items(uri, 3, 8)
    client.open(uri, "from tools.text import slugify\n\n\nx = slug")
    client.items(uri, 3, 8)  # looks at the module, for requests from now on
    deadline = time.monotonic() + REPLY_TIMEOUT_S
    while time.monotonic() < deadline:
        client.items(uri, 3, 7)
        client.items(uri, 3, 8)
        without, *_, with_module = events(log)[n_before:]
        if with_module["prompt_tokens"] > without["prompt_tokens"] + 8:
            return
        time.sleep(0.2)
    raise AssertionError("the module never came")


def test_an_adapted_model_that_is_damaged_leaves_the_base(tiny_artifact, tmp_path, monkeypatch):
    """If it fails, one damaged file of an adaptation ends all suggestions in its workspace."""
    root = tmp_path / "w"
    root.mkdir()
    made = AdaptationDouble(root, tmp_path / "data", str(tiny_artifact)).finish(
        artifact=tiny_artifact
    )
    (made / "config.json").write_text("{")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with Client("--model", tiny_artifact) as client:
        client.initialize(root=root)
        client.wait_for_state("ready")
        health = client.command("parrotlet.health")
        shown = [
            m["params"]["message"] for m in client.seen if "showMessage" in str(m.get("method"))
        ]
    assert health["adapted"] is None
    assert any("config.json" in sentence and "base model" in sentence for sentence in shown), shown
