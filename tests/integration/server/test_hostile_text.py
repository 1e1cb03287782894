"""Any text, any position, any order of messages: an answer, and a server that lives."""

import random
import re
import shutil
import time

import pytest
from doubles.trusting_gate import copy_with_gate
from lsp_client import REPLY_TIMEOUT_S, Client

pytestmark = pytest.mark.integration

ALWAYS = {"suggestion": {"eagerness": "always"}}
TEXTS = {
    "windows": "import os\r\n\r\n\r\ndef f(a):\r\n    return a\r\n",
    "old mac": "import os\r\rdef f(a):\r    return a\r",
    "mixed ends": "a = 1\rb = 2\nc = 3\r\n\r\rd = 4",
    "form feeds": "a = 1\x0cb = 2\x0b\x1c\x85\u2028c = 3\n",
    "astral": "name = '𝔘𝔫𝔦𝔠𝔬𝔡𝔢 👩‍👩‍👧 e\u0301'\nprint(na",
    "right to left": "# שלום עולם\nשם = 'مرحبا'\nprint(שם)\n",
    "nul": "a = '\x00\x01'\nb = \x00\n",
    "half a surrogate": "a = '\ud800'\nb = \udc00\nprint(a",
    "tabs and spaces": "if a:\n\tif b:\n        c\n\t  d\n",
    "binary": bytes(range(256)).decode("latin-1") * 4,
    "only brackets": "([{" * 3000,
    "only quotes": "'\"" * 3000,
    "deep": "\n".join(" " * i + "if x:" for i in range(300)),
    "empty": "",
    "one line end": "\n",
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A disk that is gone, a folder that is a file, links that go in circles."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "round").symlink_to(folder / "round")
    (folder / "file").write_text("")
    return folder


@pytest.fixture(scope="module")
def client(tiny_artifact, workspace):
    names = ["round", "file", "gone", "a%00b", "%ff"]
    folders = [{"uri": f"{workspace.as_uri()}/{name}", "name": name} for name in names]
    with Client("--model", tiny_artifact) as client:
        first = {
            "processId": None,
            "rootUri": None,
            "capabilities": {"textDocument": {"inlineCompletion": {}}},
            "workspaceFolders": folders,
            "initializationOptions": ALWAYS,
        }
        client.request("initialize", first)
        client.notify("initialized", {})
        yield client
        assert client.leave() == 0


def positions(text, chance, n):
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for _ in range(n):
        line = chance.randrange(len(lines) + 2)
        width = (
            len(lines[line].encode("utf-16-le", "surrogatepass")) // 2 if line < len(lines) else 0
        )
        yield line, chance.randrange(width + 3)


@pytest.mark.parametrize("name", TEXTS)
def test_any_text_at_any_place(client, name):
    """If it fails, one strange file ends ghost text for all."""
    text, chance = TEXTS[name], random.Random(name)
    uri = f"file:///w/{name.replace(' ', '%20')}.py"
    client.open(uri, text)
    last_line = len(re.findall("\r\n|\r|\n", text))
    for line, column in positions(text, chance, 12):
        for item in client.items(uri, line, column):
            lines = {item["range"][end]["line"] for end in ("start", "end")}
            assert lines == {min(line, last_line)}
            assert item["insertText"]
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})


def test_any_text_in_the_workspace(tiny_artifact, known_module, tmp_path):
    """If it fails, one strange file, open or on disk, ends ghost text for all others."""
    model, root = copy_with_gate(tiny_artifact, tmp_path / "model"), tmp_path / "root"
    root.mkdir()
    (root / "half.py").write_bytes(b"# coding: unicode_escape\nx = '\\ud800'\n")
    start = known_module.index(" math.pi * self.radius**2")
    with Client("--model", model) as client:
        client.initialize(options=ALWAYS, root=root)
        client.wait_for_state("ready")
        n_seen = len(client.seen)
        for number, text in enumerate(TEXTS.values()):
            client.open(f"file:///w/{number}.py", text)
        client.open("file:///w/known.py", known_module[:start])
        at = known_module[:start].count("\n"), start - known_module.rfind("\n", 0, start) - 1
        assert client.items("file:///w/known.py", *at)
        deadline = time.monotonic() + REPLY_TIMEOUT_S
        while not (health := client.command("parrotlet.health"))["memory"]["files"]:
            assert time.monotonic() < deadline, health
            time.sleep(0.1)
        states = {m["params"].get("state") for m in client.seen[n_seen:] if "params" in m}
        assert not states & {"starting", "error"}  # the worker has not died


def test_a_line_of_ten_megabytes_and_a_hundred_thousand_lines(client):
    """If it fails, opening a data file freezes the editor's other documents."""
    long_line = "x = [" + "1234567, " * 1_100_000
    many_lines = "def f(a):\n    return a\n" * 50_000
    for number, (text, line, column) in enumerate(
        [
            (long_line, 0, 5_000_000),
            (long_line, 0, len(long_line)),
            (many_lines, 50_001, 10),
            (many_lines, 99_999, 12),
        ]
    ):
        uri = f"file:///w/huge{number}.py"
        client.open(uri, text)
        client.items(uri, line, column)
        client.insert(uri, 2, line, column, "a")
        client.items(uri, line, column + 1)
        client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})


def test_messages_out_of_order_are_survived(client, known_module):
    uri = "file:///w/order.py"
    client.insert(uri, 5, 0, 0, "x")  # before it was opened
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    client.open(uri, known_module)
    client.open(uri, known_module)  # twice
    client.insert(uri, 3, 999, 999, "y")  # behind the end, which is where it goes
    client.insert(uri, 2, 0, 0, "")  # an older version
    client.notify("$/cancelRequest", {"id": 424242})
    client.notify("initialized", {})  # once more
    client.notify("parrotlet/didAccept", {"how": "by chance", "characters": -5})
    client.notify("notebookDocument/didClose", {"notebookDocument": {"uri": "file:///none"}})
    n_lines = known_module.count("\n")
    client.items(uri, n_lines, 1)  # behind the "y"
    assert client.command("parrotlet.explain")["stage"] != "withheld"
    client.items(uri, n_lines, 2)
    assert client.command("parrotlet.explain")["stage"] != "withheld"


def test_two_editors_have_a_server_each(client, tiny_artifact, known_module):
    """If it fails, one editor's documents are answered to another."""
    uri = "file:///w/same.py"
    start = known_module.index(" math.pi * self.radius**2")
    text = known_module[:start] + "\n"
    at = (text.count("\n") - 1, len(text) - text.rfind("\n", 0, -1) - 2)
    with Client("--model", tiny_artifact) as other:
        other.initialize(options=ALWAYS)
        other.open(uri, text)
        client.open(uri, "\n\n" + text)
        asked = [other.ask(uri, *at), client.ask(uri, at[0] + 2, at[1])]
        texts = [
            one.reply(number)["result"]["items"][0]["insertText"]
            for one, number in zip((other, client), asked, strict=True)
        ]
        assert texts == [" math.pi * self.radius**2"] * 2
        other.process.kill()
    assert client.items(uri, at[0] + 2, at[1])
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})


def test_a_model_that_is_replaced_while_it_runs_changes_nothing(
    tiny_artifact, known_module, tmp_path
):
    """If it fails, publishing a new model kills every editor that runs the old one."""
    model = tmp_path / "model"
    shutil.copytree(tiny_artifact, model)
    start = known_module.index(" math.pi * self.radius**2")
    text = known_module[:start] + "\n"
    at = (text.count("\n") - 1, len(text) - text.rfind("\n", 0, -1) - 2)
    with Client("--model", model) as client:
        client.initialize(options=ALWAYS)
        client.wait_for_state("ready")
        with (model / "model.safetensors").open("r+b") as file:  # in place, as rsync may do it
            file.truncate(100)
        (model / "tokenizer.json").unlink()
        client.open("file:///w/a.py", text)
        (item,) = client.items("file:///w/a.py", *at)
        assert item["insertText"] == " math.pi * self.radius**2"
        client.command("parrotlet.restart")
        status = client.wait_for_state("error")
        assert "model.safetensors" in status["reason"] or "tokenizer.json" in status["reason"]
        assert client.items("file:///w/a.py", at[0], at[1] - 1) == []


def test_a_workspace_that_cannot_be_read_is_no_obstacle(client, workspace, known_module):
    """If it fails, a folder that is gone ends ghost text. All tests here have this workspace."""
    uri = f"{workspace.as_uri()}/round/a.py"
    start = known_module.index(".pi * self.radius**2")
    imports = "from tools import x\nfrom . import y\nfrom .... import z\nimport os.path\n"
    text = imports + known_module[:start]
    client.open(uri, text)
    at = text.count("\n"), len(text) - text.rfind("\n") - 1
    for _ in range(2):  # the second has what was read for the first
        (item,) = client.items(uri, *at)
        assert item["insertText"] == ".pi * self.radius**2"
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
