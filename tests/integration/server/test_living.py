"""A long session: settings that change, a worker that dies, suggestions computed ahead."""

import os
import signal
import time

import psutil
import pytest
from lsp_client import events, place

pytestmark = pytest.mark.integration

URI = "file:///w/shapes.py"
ALWAYS = {"suggestion": {"eagerness": "always"}}


def cut(text):
    """A text whose method has yet to return, and the place where."""
    start = text.index(" math.pi * self.radius**2")
    text = text[:start] + text[text.index("\n", start) :]
    return text, place(text, 'area of the circle."""\n        return')


def wait_until_extent(client, at, is_right):
    """Requests suggestions until one has the extent that the settings demand."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        client.items(URI, *at)
        if is_right(client.command("parrotlet.explain")["extent"]):
            return
    raise AssertionError("the setting has no effect")


def test_settings_change_while_it_runs(client, known_module):
    """If it fails, a changed setting needs a restart of the editor, or has no effect."""
    client.configuration = {"suggestion": {"extent": "line"}, "client": {"enable": True}}
    client.initialize(options=ALWAYS)
    text = known_module.replace('        """Return the area of the circle."""\n', "")
    client.open(URI, text)
    at = place(text, "def area(self) -> float:")
    wait_until_extent(client, at, lambda extent: extent == "line")
    worker = client.worker_pid()
    client.configuration = {"suggestion": {"extent": "auto"}}
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    client.wait(lambda m: m.get("method") == "workspace/configuration" and m["id"] != 1)
    wait_until_extent(client, at, lambda extent: extent != "line")
    assert client.worker_pid() == worker  # the model was not loaded again for that
    client.configuration = {"suggestion": {"extend": "auto"}}
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    shown = client.wait(lambda m: m.get("method") == "window/showMessage")["params"]["message"]
    assert "did not change this setting" in shown
    assert "extent" in shown  # the near name


@pytest.mark.parametrize("other", [{"python": {"x": 1}}, None, {}, "x", {"parrotlet": "x"}])
def test_a_push_of_other_sections_changes_nothing(client, known_module, other):
    """If it fails, an editor that changes another server's settings turns privacy globs off."""
    uri = "file:///w/my_notes.py"
    client.initialize(options=ALWAYS)
    text, at = cut(known_module)
    client.open(uri, text)
    client.wait_for_state("ready")
    assert client.items(uri, *at)
    pushed = {"settings": {"parrotlet": {"private_globs": ["my_*"]}}}
    client.notify("workspace/didChangeConfiguration", pushed)
    assert not client.items(uri, *at)
    client.notify("workspace/didChangeConfiguration", {"settings": other})
    assert not client.items(uri, *at)


def test_settings_that_the_client_pushes_take_effect(client, known_module):
    client.initialize(options={"suggestion": {"eagerness": "quiet"}})
    text, at = cut(known_module)
    client.open(URI, text)
    client.wait_for_state("ready")
    pushed = {"settings": {"parrotlet": {"engine": {"threads": 1}}}}
    before = client.worker_pid()
    client.notify("workspace/didChangeConfiguration", pushed)
    deadline = time.monotonic() + 20
    while psutil.pid_exists(before) and time.monotonic() < deadline:
        time.sleep(0.1)
    client.request("workspace/executeCommand", {"command": "parrotlet.explain"})
    assert client.worker_pid() != before  # the engine's settings need the model loaded again
    assert client.items(URI, *at, triggerKind=1)


def test_a_worker_that_dies_is_restarted(client, log, known_module):
    """If it fails, what kills the model ends all ghost text until the editor is restarted."""
    client.initialize(options=ALWAYS)
    text, at = cut(known_module)
    client.open(URI, text)
    wanted = client.items(URI, *at)
    assert wanted
    os.kill(client.worker_pid(), signal.SIGKILL)
    status = client.wait(
        lambda m: (
            m.get("method") == "parrotlet/status" and "SIGKILL" in (m["params"]["reason"] or "")
        )
    )
    assert status["params"]["state"] == "starting"
    client.insert(URI, 2, 0, 0, "\n")
    (item,) = client.items(URI, at[0] + 1, at[1])
    assert item["insertText"] == wanted[0]["insertText"]  # waits for the new one


def test_a_worker_that_dies_answers_its_request(client, log, known_module):
    client.initialize(options=ALWAYS)
    client.wait_for_state("ready")
    text, at = cut(known_module)
    client.open(URI, text)
    os.kill(client.worker_pid(), signal.SIGSTOP)
    asked = client.ask(URI, *at)
    time.sleep(0.3)
    os.kill(client.worker_pid(), signal.SIGKILL)
    assert client.reply(asked)["result"]["items"] == []
    assert events(log)[-1]["stage"] == "failed"
    for _ in range(3):
        client.wait_for_state("starting")
        time.sleep(0.2)
        os.kill(client.worker_pid(), signal.SIGKILL)
        time.sleep(0.3)
    assert "restart it" in client.wait_for_state("error")["reason"]  # it does not go on for ever
    assert client.items(URI, *at) == []
    client.seen.clear()
    client.command("parrotlet.restart")
    client.wait_for_state("ready")
    assert client.items(URI, *at, triggerKind=1)


def test_the_next_suggestion_is_computed_when_one_is_accepted(client, log, known_module):
    """If it fails, accepting a suggestion is followed by a pause."""
    client.initialize(options=ALWAYS)
    start = known_module.index("        return math.pi * self.radius**2")
    text = known_module[:start]
    client.open(URI, text + "\n")
    line, column = place(text + "\n", '"""Return the area of the circle."""\n')
    (item,) = client.items(URI, line, column)[:1]
    n_before = len(events(log))
    client.insert(URI, 2, line, column, item["insertText"])
    deadline = time.monotonic() + 20
    while len(events(log)) == n_before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(events(log)) == n_before + 1  # nobody has asked yet
    taken = item["insertText"].split("\n")
    end = (line + len(taken) - 1, len(taken[-1]) + (column if len(taken) == 1 else 0))
    client.items(URI, *end)
    client.command("parrotlet.explain")
    assert len(events(log)) == n_before + 1  # it was there already


def test_why_nothing_is_shown_speaks_of_the_request_that_was_made(client, known_module):
    """If it fails, a private file is explained by what another file's request came to."""
    client.initialize(options=ALWAYS)
    assert client.command("parrotlet.explain") is None
    text, at = cut(known_module)
    client.open(URI, text)
    assert client.items(URI, *at)
    shown = client.command("parrotlet.explain")
    assert shown["summary"].startswith("Suggested a ")
    assert (shown["eagerness"], shown["needed_confidence"]) == ("always", 0)
    client.open("file:///w/.env", "KEY=")
    for uri, line, word in (
        ("file:///w/.env", 0, "Private"),
        ("file:///w/none.py", 0, "not open"),
    ):
        assert client.items(uri, line, 0) == []
        explanation = client.command("parrotlet.explain")
        assert explanation["stage"] == "withheld"
        assert word in explanation["summary"]


def test_health_says_what_runs_and_how(client, known_module):
    client.initialize()
    client.wait_for_state("ready")
    health = client.command("parrotlet.health")
    assert health["state"] == "ready"
    assert health["parameters"] > 1000
    assert health["precision"] in {"int8", "bfloat16", "float32"}
    assert 20 < health["server_mib"] < 1000
    assert 20 < health["worker_mib"] < 1000
    rows = dict(health["report"])
    assert rows["State"] == "ready"
    assert rows["Threads"] == str(health["threads"])
    assert not any("_" in word for row in health["report"] for word in row)
    statistics = client.command("parrotlet.statistics")
    assert dict(statistics["report"])["Shown"] == str(statistics["shown"])


def test_cells_of_a_notebook_are_one_text(client, known_module):
    """If it fails, each cell is completed as if it stood alone."""
    client.initialize(options=ALWAYS)
    start = known_module.index("        return math.pi * self.radius**2")
    cells = {"c:1": known_module[:start], "c:2": "# prose", "c:3": "x = 1\n        return m"}
    client.notify(
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
    client.notify(
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
    client.notify(
        "notebookDocument/didChange",
        {
            "notebookDocument": {"uri": "file:///w/n.ipynb", "version": 3},
            "change": {"cells": {"textContent": [typed]}},
        },
    )
    (item,) = client.items("c:3", 0, 16)
    assert item["insertText"] == "ath.pi * self.radius**2"
    assert item["range"]["start"] == {"line": 0, "character": 16}
    client.notify(
        "notebookDocument/didClose",
        {
            "notebookDocument": {"uri": "file:///w/n.ipynb"},
            "cellTextDocuments": [{"uri": uri} for uri in cells],
        },
    )
    assert client.items("c:3", 0, 0) == []


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
    client.items(uri, 3, 8)
    client.open(uri, "from tools.text import slugify\n\n\nx = slug")
    client.items(uri, 3, 8)  # looks at the module, for requests from now on
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        client.items(uri, 3, 7)
        client.items(uri, 3, 8)
        without, with_module = events(log)[0], events(log)[-1]
        if with_module["prompt_tokens"] > without["prompt_tokens"] + 8:
            return
        time.sleep(0.2)
    raise AssertionError("the module never came")
