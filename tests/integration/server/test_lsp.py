"""A real server process over its pipes, with the tiny model: what an editor relies on."""

import json
import re

import pytest
from lsp_client import Client, events, place

from server.cli import main as cli

pytestmark = pytest.mark.integration

# The model is unsure how most of these go on; for which ones depends on the processor.
UNSURE = ("self.", "circle.", "    return ", "def area(self) -> float:\n    ", "def total")
OPTIONS = {
    "suggestion": {"eagerness": "always"},
    "private_globs": ["private_*.py"],
    "context": {
        "workspace_tokens": 0,  # nothing of another test's documents
        "prefix_token": 100,  # a mistake, which must spoil nothing
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def log(folder):
    return folder / "events.jsonl"


@pytest.fixture(scope="module")
def server(tiny_artifact, folder, log):
    """A client whose server has loaded the model and has answered nothing yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder / "data"))
        started = Client("--model", tiny_artifact, "--event-log", log)
    with started as client:
        client.initialized = client.initialize(options=OPTIONS)
        client.wait_for_state("ready")
        yield client
        assert client.leave() == 0
        assert b"Traceback" not in client.stderr
        assert b"circle" not in client.stderr


@pytest.fixture
def client(server):
    """The server that the tests of this file share; each has a document of its own."""
    yield server
    server.close_documents()


@pytest.fixture(scope="module", params=["utf-8", "utf-16"])
def counting(request, tiny_artifact):
    """A client for a unit of columns, and the unit; ``test_other_editors`` has UTF-32, too."""
    if request.param == "utf-16":  # which holds where nothing is said
        yield request.getfixturevalue("server"), request.param
        return
    with Client("--model", tiny_artifact) as client:
        client.initialized = client.initialize(encodings=[request.param], options=OPTIONS)
        yield client, request.param
        assert client.leave() == 0


@pytest.fixture
def uri(request):
    return f"file:///w/{request.node.originalname}.py"


def test_ghost_text_appears_and_grows_while_typing(client, uri, log, known_module):
    """The one thing an editor wants: the right text, at the right place, quickly recomputed."""
    capabilities = client.initialized["capabilities"]
    assert capabilities["inlineCompletionProvider"] is not None
    assert capabilities["textDocumentSync"]["change"] == 2
    start = known_module.index("return math.pi * self.radius**2")
    text = known_module[:start] + known_module[known_module.index("\n", start) :]
    client.open(uri, text)
    n_before = len(events(log))
    line, column = place(text, 'area of the circle."""\n        ')
    for version, typed in enumerate("return m", start=2):
        client.insert(uri, version, line, column, typed)
        column += 1
        items = client.items(uri, line, column)
    assert [item["insertText"] for item in items] == ["ath.pi * self.radius**2"]
    at = {"line": line, "character": column}
    assert items[0]["range"] == {"start": at, "end": at}
    typed = events(log)[n_before:]
    assert len(typed) == 8
    asked = [event for event in typed if event["stage"] != "typed through"]
    assert len(asked) <= 2  # the model is not asked for what is typed as suggested
    assert all(event["computed_tokens"] <= 16 for event in asked[1:])
    assert all(event["prompt_tokens"] > 100 for event in asked)
    assert typed[-1]["stage"] == "typed through"
    assert typed[-1]["computed_tokens"] == 0


def test_usage_is_counted_and_the_last_request_is_explained(
    client, uri, known_module, folder, capsys
):
    """Malformed reports count for nothing and stop nothing."""
    text = known_module[: known_module.index("return math.") + len("return math.")]
    client.open(uri, text)
    client.items(uri, *place(text, "return math."))
    explanation = client.command("parrotlet.explain")
    assert explanation["stage"] == "shown"
    assert 0 < explanation["confidence"] <= 1
    assert dict(explanation["report"])["Result"] == explanation["summary"]
    client.notify("parrotlet/didShow", {"characters": 20, "ms": 12.5})
    client.notify("parrotlet/didShow", {"characters": "many", "ms": None})
    client.notify("parrotlet/didShow", {"characters": 5, "ms": 7.5})
    client.notify("parrotlet/didAccept", {"characters": 20, "how": "whole"})
    client.notify("parrotlet/didAccept", {"characters": 5, "how": "half"})
    client.notify("parrotlet/didAccept", [1, 2])
    client.notify("parrotlet/didReject", {})
    assert client.command("parrotlet.statistics")["shown"] == 3
    assert cli(["stats", "--folder", str(folder / "data" / "parrotlet")]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"Shown +3\nAccepted in full +1 \(33%\)\n", printed)
    assert re.search(r"Characters saved +19\n", printed)


def test_a_suggestion_extends_the_selected_item_of_the_list(client, uri, known_module):
    """If it fails, VS Code shows no ghost text while its list is open, or a wrong one."""
    text = known_module[: known_module.index("return math.") + len("return math.p")]
    client.open(uri, text)
    line, column = place(text, "return math.p")
    start = {"line": line, "character": column - 1}
    info = {"range": {"start": start, "end": {"line": line, "character": column}}, "text": "pi"}
    (item,) = client.items(uri, line, column, selectedCompletionInfo=info)
    assert item["insertText"] == "pi * self.radius**2"
    assert item["range"] == info["range"]
    elsewhere = {**info["range"], "end": start}
    (item,) = client.items(
        uri, line, column, selectedCompletionInfo={"range": elsewhere, "text": "e"}
    )
    assert item["insertText"] == "i * self.radius**2"


def test_a_request_by_hand_gets_alternatives(client, uri):
    """Each once, and first the one that is shown automatically."""
    counts = []
    for number, text in enumerate(UNSURE):
        file = uri.replace(".py", f"_{number}.py")
        client.open(file, text)
        at = place(text, text)
        alone = client.items(file, *at)
        texts = [item["insertText"] for item in client.items(file, *at, triggerKind=1)]
        if alone:  # while typing, less is shown
            assert texts[0] == alone[0]["insertText"]
        assert len(texts) == len(set(texts)) <= 3
        counts.append(len(texts))
    assert max(counts) > 1


def test_private_files_get_no_suggestions(client, known_module):
    """If it fails, secrets reach the model."""
    text = known_module[: known_module.index("return math.") + len("return math.")]
    private, other = ("file:///w/.env", "file:///w/private_shapes.py"), "file:///w/shapes.py"
    for uri in private:
        client.open(uri, text)
        assert client.items(uri, *place(text, "return math.")) == []
    client.open(other, text)
    assert client.items(other, *place(text, "return math.")) != []


def test_the_event_log_holds_no_text(client, uri, log, known_module):
    """The log goes into bug reports; code must not. ``server`` looks at its other log."""
    client.open(uri, known_module)
    client.items(uri, 20, 0)
    assert events(log)
    assert "circle" not in log.read_text()
    assert "radius" not in log.read_text()


def test_positions_in_every_encoding(counting, uri, known_module):
    """An astral character before the cursor must not shift what is inserted or replaced."""
    client, encoding = counting
    assert client.initialized["capabilities"]["positionEncoding"] == encoding
    head = '"😋é"; total += circle.a'
    client.open(uri, known_module + head + "()\n")
    wide = {"utf-8": 4 + 2, "utf-16": 2 + 1}[encoding]
    line, column = known_module.count("\n"), len(head) - 2 + wide
    items = client.items(uri, line, column)
    assert [item["range"]["start"] for item in items] == [{"line": line, "character": column}]
    assert items[0]["insertText"].startswith("rea")


def test_cancelling_stops_the_model(client, uri, log, known_module):
    """A cancelled request must neither be answered late nor keep the processor busy."""
    client.open(uri, known_module)
    at = place(known_module, "float) -> ")
    n_before = len(events(log))
    with client.worker_stopped():  # else the model might be faster
        cancelled = client.ask(uri, *at)
        client.notify("$/cancelRequest", {"id": cancelled})
        assert client.reply(cancelled)["error"]["code"] == -32800
    client.items(uri, at[0], at[1] - 1)  # is answered after what was asked before it
    first, _ = events(log)[n_before:]
    assert first["stage"] == "cancelled"


def test_a_newer_request_supersedes_an_older_one(client, uri, log, known_module):
    """Neovim never cancels; without this, typing fast would queue up requests for seconds."""
    client.open(uri, known_module)
    line, column = place(known_module, "float) -> ")
    n_before = len(events(log))
    with client.worker_stopped():  # else the model might be faster
        asked = [client.ask(uri, line, column - n) for n in range(6)]
        for msg_id in asked[:-1]:
            assert client.reply(msg_id)["result"]["items"] == []
    client.reply(asked[-1])
    stages = [event["stage"] for event in events(log)[n_before:]]
    assert stages[:-1] == ["cancelled"] * 5
    assert stages[-1] != "cancelled"


def test_no_stale_answer_after_a_change(client, uri, known_module):
    """An answer for text that is no longer there would be inserted at the wrong place."""
    text = known_module[: known_module.index("return math.") + len("return math")]
    client.open(uri, text)
    line, column = place(text, "return math")
    with client.worker_stopped():  # else the model might be faster
        asked = client.ask(uri, line, column)
        client.insert(uri, 2, 0, 0, "# a line above\n")
        assert client.reply(asked)["result"]["items"] == []
    (item,) = client.items(uri, line + 1, column)
    assert item["range"]["start"] == {"line": line + 1, "character": column}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("textDocument/inlineCompletion", {"bad": 1}, -32602),
        ("textDocument/inlineCompletion", [], -32602),
        ("textDocument/inlineCompletion", {"textDocument": {"uri": 5}, "position": 1}, -32602),
        ("no/such", {"a": 1}, -32601),
    ],
)
def test_malformed_requests_are_answered(client, method, params, code):
    """An editor waits for each answer; pygls gives none to malformed parameters."""
    error = client.request(method, params)["error"]
    assert error["code"] == code
    assert "Traceback" not in json.dumps(error)


def test_invalid_messages_are_refused(client, uri):
    """Broken input must not end the session."""
    for body, code in ((b"{nonsense", -32700), (b"\xff\xfe", -32700), (b"[1, 2]", -32600)):
        client.write_raw(body)
        client.wait(lambda m, code=code: m.get("error", {}).get("code") == code)
    client.notify("textDocument/didChange", {"textDocument": None})
    assert client.items(uri, 0, 0) == []


def test_unknown_documents_get_an_empty_list(client, uri, known_module):
    """Editors ask such things in the middle of edits; an error would pop up in the user's face."""
    client.open(uri, known_module)
    for _ in range(2):
        assert client.items("file:///never/opened.py", 5, 3) == []


def test_places_past_the_end_mean_the_end(counting, uri, known_module):
    """The protocol says so; editors use the largest number for the end of a line."""
    client, _ = counting
    text = f"{known_module}# 😋\ntotal += circle.a"
    client.open(uri, text)
    (there,) = client.items(uri, text.count("\n"), 17)
    for line, column in ((text.count("\n"), 18), (10_000, 0), (2**53 - 1, 2**53 - 1)):
        assert client.items(uri, line, column) == [there]


def test_an_auto_closed_bracket_is_replaced_and_a_comment_survives(client, uri, known_module):
    """With ')' behind the cursor the accepted text must not end in '))'."""
    start = known_module.index("def area(self) -> float:")
    text = known_module[:start] + "def area()  # keep" + known_module[start + 24 :]
    client.open(uri, text)
    line, column = place(text, "def area(")
    (item,) = client.items(uri, line, column)
    row = text.split("\n")[line]
    end = item["range"]["end"]
    assert (item["range"]["start"]["character"], end["line"]) == (column, line)
    accepted = row[:column] + item["insertText"] + row[end["character"] :]
    assert accepted in {
        "    def area(self) -> float:  # keep",
        "    def area(self)  # keep",
    }


def test_states_are_reported_in_order(client, uri, known_module):
    """A status bar that stays on 'starting' makes users wait for nothing."""
    client.open(uri, known_module)
    client.items(uri, 20, 0)
    client.wait_for_state("idle")
    states = [m["params"]["state"] for m in client.seen if m.get("method") == "parrotlet/status"]
    assert states[:4] == ["starting", "ready", "busy", "idle"]


def test_a_missing_model_is_reported_and_the_server_lives(tmp_path):
    """Without a model the editor must still work, and the user must learn why nothing appears."""
    with Client("--model", tmp_path / "nowhere") as client:
        client.initialize()
        assert "nowhere" in client.wait_for_state("error")["reason"]
        assert client.command("parrotlet.explain") is None  # nothing was requested yet
        client.open("file:///w/a.py", "x = 1\n")
        for name in ("a", "never opened", "never opened"):
            assert client.items(f"file:///w/{name}.py", 0, 5) == []
        shown = [m for m in client.seen if m.get("method") == "window/showMessage"]
        assert len(shown) == 1
        assert client.leave() == 0
        assert b"Traceback" not in client.stderr
        assert client.stderr.count(b"not open") == 1


def test_an_unknown_setting_is_named_and_spoils_no_other(client, uri, known_module):
    """A typo in the settings must be reported: neither silently ignored nor fatal."""
    shown = client.wait(lambda m: m.get("method") == "window/showMessage")["params"]["message"]
    assert "prefix_token" in shown
    assert "prefix_tokens" in shown
    client.open(uri, known_module[: known_module.index("i * self.radius**2")])
    assert client.items(uri, *place(known_module, "return math.p")) != []


def test_the_server_exits_when_its_stdin_is_closed(tiny_artifact):
    """An editor that crashed must not leave a server behind."""
    with Client("--model", tiny_artifact) as client:
        client.initialize()
        client.process.stdin.close()
        assert client.process.wait(60) == 1
