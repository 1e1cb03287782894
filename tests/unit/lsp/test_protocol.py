"""The life of a session, and messages that no client should send."""

import io
import json
import os
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from lsp_session import Session, SilentService

from server.lsp.features import create_server
from server.suggestion.result import CompletionResult, Suggestion

URI = "file:///w/a.py"
ASK = {
    "textDocument": {"uri": URI},
    "position": {"line": 0, "character": 0},
    "context": {"triggerKind": 1},
}
INLINE = "textDocument/inlineCompletion"
PARSE_ERROR, INVALID_REQUEST, NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
NOT_INITIALIZED = -32002


def code(answer):
    return answer["error"]["code"]


async def started(text="x = 1\n"):
    session = Session()
    await session.initialize()
    await session.send(
        method="textDocument/didOpen", params={"textDocument": {"uri": URI, "text": text}}
    )
    return session


async def test_a_session_has_a_beginning_and_an_end():
    """If it fails, an editor that asks too early or too late waits for ever."""
    session = Session()
    for method in (INLINE, "shutdown", "no/such"):
        assert code(await session.request(method, ASK)) == NOT_INITIALIZED
    opened = {"textDocument": {"uri": URI, "text": ""}}
    await session.send(method="textDocument/didOpen", params=opened)
    assert session.state(URI) is False  # notifications are ignored
    assert "capabilities" in (await session.initialize())["result"]
    assert code(await session.request("initialize", {"processId": None, "capabilities": {}})) == (
        INVALID_REQUEST
    )
    assert (await session.request(INLINE, ASK))["result"] == {"items": []}
    assert (await session.request("shutdown"))["result"] is None
    for method in (INLINE, "shutdown", "initialize", "no/such", "workspace/executeCommand"):
        assert code(await session.request(method, ASK)) == INVALID_REQUEST
    await session.send(method="textDocument/didOpen", params=opened)
    assert session.state(URI) is False
    await session.send(method="exit")
    assert session.server.protocol.has_exited
    assert session.server.protocol.exit_code == 0
    assert session.errors == []


@pytest.mark.parametrize("is_initialized", [True, False])
async def test_an_exit_without_a_shutdown_is_an_error(is_initialized):
    session = Session()
    if is_initialized:
        await session.initialize()
    await session.send(method="exit")
    assert session.server.protocol.has_exited
    assert session.server.protocol.exit_code == 1


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"", PARSE_ERROR),
        (b"{nonsense", PARSE_ERROR),
        (b"\xff\xfe", PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', PARSE_ERROR),
        (b"[" * 100_000, PARSE_ERROR),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"x"}', PARSE_ERROR),
        (b"[1, 2]", INVALID_REQUEST),
        (b"null", INVALID_REQUEST),
        (b"5", INVALID_REQUEST),
        (b'"text"', INVALID_REQUEST),
        (b"{}", INVALID_REQUEST),
        (b'{"id":1,"method":"shutdown"}', INVALID_REQUEST),
        (b'{"jsonrpc":"1.0","id":1,"method":"shutdown"}', INVALID_REQUEST),
        (b'[{"jsonrpc":"2.0","id":1,"method":"shutdown"}]', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":[1],"method":"shutdown"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":true,"method":"shutdown"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":5}', INVALID_REQUEST),
    ],
)
async def test_what_is_no_message_is_refused_once(body, wanted):
    """If it fails, broken input ends the session, or is answered with a traceback."""
    session = await started()
    (answer,) = await session.send_body(body)
    assert code(answer) == wanted
    assert answer["id"] is None
    assert session.state(URI) == "x = 1\n"
    assert (await session.request(INLINE, ASK))["result"] == {"items": []}
    assert session.errors == []


@pytest.mark.parametrize(
    "message",
    [
        {"id": 99, "result": {}},
        {"id": None, "result": {}},
        {"id": "\ud800", "error": {"code": "x"}},
        {"id": [1], "result": 1},
        {"result": 1},
        {"method": "$/cancelRequest", "params": {"id": 5}},
        {"method": "$/cancelRequest", "params": {"id": None}},
        {"method": "no/such", "params": {"a": {"b": 1}}},
        {"method": "no/such"},
        {"method": "\ud800", "params": None},
        {"method": "initialized", "params": {}},
        {"method": "initialized"},
        {"method": "workspace/didChangeConfiguration"},
        {"method": "workspace/didChangeConfiguration", "params": {"settings": [1]}},
        {"method": "workspace/didChangeConfiguration", "params": {"settings": {"jsonrpc": "2.0"}}},
        {"method": "workspace/didChangeWorkspaceFolders", "params": {"event": 5}},
        {"method": "notebookDocument/didOpen", "params": {}},
        {"method": "notebookDocument/didClose", "params": {"notebookDocument": {"uri": 5}}},
        {"method": "textDocument/didClose", "params": {"textDocument": None}},
        {"method": "parrotlet/didShow", "params": None},
        {"method": "parrotlet/didAccept", "params": [1]},
        {"method": "window/workDoneProgress/cancel", "params": {"token": "x"}},
    ],
)
async def test_what_needs_no_answer_gets_none(message):
    session = await started()
    assert [m for m in await session.send(**message) if "id" in m and "method" not in m] == []
    assert (await session.request(INLINE, ASK))["result"] == {"items": []}
    assert session.state(URI) == "x = 1\n"


@pytest.mark.parametrize(
    ("method", "params", "wanted"),
    [
        (INLINE, None, INVALID_PARAMS),
        (INLINE, {**ASK, "position": {"line": -1, "character": 0}}, INVALID_PARAMS),
        (INLINE, {**ASK, "position": {"line": "a", "character": 0}}, INVALID_PARAMS),
        (INLINE, {**ASK, "position": {"jsonrpc": "2.0", "method": "exit"}}, INVALID_PARAMS),
        ("workspace/executeCommand", {"command": "\ud800"}, INVALID_PARAMS),
        ("workspace/executeCommand", None, INVALID_PARAMS),
        ("workspace/executeCommand", {"command": ["parrotlet.health"]}, INVALID_PARAMS),
        ("no/such", None, NOT_FOUND),
        ("\ud800", {"x": 1}, NOT_FOUND),
    ],
)
async def test_every_request_gets_an_answer(method, params, wanted):
    session = await started()
    for msg_id in (1, "a", "\ud800", "", 0):
        answer = await session.request(method, params, msg_id)
        assert code(answer) == wanted
        assert "traceback" not in json.dumps(answer).lower()


async def test_the_server_keeps_its_answers_for_its_own_requests():
    """If it fails, a client that answers its own request ends it without a result."""
    session = await started()
    session.service.submit = lambda *_, **__: SimpleNamespace(future=Future(), event=None)
    assert await session.send(id=7, method=INLINE, params=ASK) == []
    assert await session.send(id=7, result=None) == []
    (answer,) = await session.send(method="$/cancelRequest", params={"id": 7})
    assert code(answer) == -32800
    assert session.errors == []


@pytest.mark.parametrize(
    "uri", ["file://[host", "buffer://[Scratch]", "", "\ud800", "file:///%00", 5]
)
async def test_folders_of_any_name(uri):
    """If it fails, an editor whose folder has a strange URI has no server at all."""
    session = Session()
    folders = [{"uri": uri, "name": "\ud800"}]
    given = {"workspaceFolders": folders} if isinstance(uri, str) else {}
    assert "result" in await session.initialize(rootUri=str(uri), rootPath=str(uri), **given)
    event = {"added": folders, "removed": folders}
    await session.send(method="workspace/didChangeWorkspaceFolders", params={"event": event})
    assert "result" in await session.request(INLINE, ASK)
    assert session.errors == []


@pytest.mark.parametrize(
    "change",
    [
        {"textDocument": {"uri": URI}, "contentChanges": [{"range": {}, "text": "y"}]},
        {"textDocument": None, "contentChanges": [{"text": "y"}]},
        {"contentChanges": [{"text": "y"}]},
        {"textDocument": {"uri": URI}},
        [],
        None,
        5,
    ],
)
async def test_a_change_that_is_not_understood_is_told_to_the_user(change):
    """If it fails, suggestions are for an old text, and nobody knows why."""
    session = await started()
    (message,) = await session.send(method="textDocument/didChange", params=change)
    assert message["method"] == "window/showMessage"
    assert "a.py" in message["params"]["message"]
    assert session.state(URI) is None
    assert await session.send(method="textDocument/didChange", params=change) == []  # once
    whole = {"textDocument": {"uri": URI, "version": None}, "contentChanges": [{"text": "z"}]}
    await session.send(method="textDocument/didChange", params=whole)
    assert session.state(URI) == "z"


@pytest.mark.parametrize("sends_all", [True, False])
async def test_a_setting_that_the_editor_removes_is_unset(sends_all):
    """If it fails, a remote server goes on getting code until the editor restarts."""
    session, remote = Session(), {"remote": {"url": "http://gpu:8000"}}
    ours = {"experimental": {"parrotlet": {"sendsAllSettings": sends_all}}}
    await session.initialize(initializationOptions=remote, capabilities=ours)
    assert session.server.configuration.settings.remote.url == "http://gpu:8000"
    for settings in (remote, {}):
        pushed = {"settings": {"parrotlet": settings}}
        await session.send(method="workspace/didChangeConfiguration", params=pushed)
    # Other editors send initializationOptions once, and may send nothing later.
    expected = "" if sends_all else "http://gpu:8000"
    assert session.server.configuration.settings.remote.url == expected


async def test_a_private_glob_that_cannot_be_read_is_said_and_the_others_hold():
    """If it fails, a mistyped glob is silent, or makes public what the others keep private."""
    globs = ["**/{a", "a.py"]
    session = Session()
    capabilities = {"textDocument": {"inlineCompletion": {}}}
    params = {"processId": None, "rootUri": None, "capabilities": capabilities}
    await session.request(
        "initialize", {**params, "initializationOptions": {"private_globs": globs}}
    )
    messages = await session.send(method="initialized", params={})
    (shown,) = [one for one in messages if one["method"] == "window/showMessage"]
    expected = "the configuration: private_globs: the pattern '**/{a' has a '{' without"
    assert shown["params"]["message"].startswith(expected)
    assert session.server.configuration.settings.private_globs == tuple(globs)
    pushed = {"settings": {"parrotlet": {"statistics": False, "private_globs": globs}}}
    messages = await session.send(method="workspace/didChangeConfiguration", params=pushed)
    assert all(one["method"] != "window/showMessage" for one in messages)  # it was said


@pytest.mark.parametrize("id_", [{}, {"id": None}, {"id": 5}])
async def test_a_change_counts_whether_it_has_an_id_or_not(id_):
    """Some clients write "id": null into notifications."""
    session = await started()
    params = {"textDocument": {"uri": URI}, "contentChanges": [{"text": "z"}]}
    await session.send(method="textDocument/didChange", params=params, **id_)
    assert session.state(URI) == "z"


@pytest.mark.parametrize("change", [None, 5, {"cells": 5}, {"cells": {"textContent": 5}}])
async def test_a_notebooks_change_that_is_not_understood(change):
    session = await started()
    params = {"notebookDocument": {"uri": "n", "version": 1}, "change": change}
    await session.send(method="notebookDocument/didChange", params=params)
    assert session.state(URI) is None


async def test_a_broken_frame_is_refused_and_the_session_goes_on():
    session = await started()
    good = json.dumps({"jsonrpc": "2.0", "id": 1, "method": INLINE, "params": ASK}).encode()
    framed = b"Content-Length: %d\r\n\r\n%s" % (len(good), good)
    answers = await session.send_stream(b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n" + framed)
    assert [code(answer) for answer in answers if "error" in answer] == [PARSE_ERROR]
    assert [answer["id"] for answer in answers if "result" in answer] == [1]


def test_a_request_begins_before_the_next_message_is_handled():
    """If it fails, who types on quickly gets a suggestion for a place in another text."""
    changed = {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"text": "y\nx"}]}
    calls = [
        ("initialize", {"processId": None, "rootUri": None, "capabilities": {}}, 1),
        ("initialized", {}, None),
        ("textDocument/didOpen", {"textDocument": {"uri": URI, "text": "x"}}, None),
        (INLINE, ASK, 2),
        ("textDocument/didChange", changed, None),
        (INLINE, ASK, 3),
        ("$/cancelRequest", {"id": 3}, None),
        ("shutdown", None, 4),
        ("exit", None, None),
    ]
    read_end, write_end = os.pipe()
    for method, params, msg_id in calls:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        body = json.dumps(message if msg_id is None else {**message, "id": msg_id}).encode()
        os.write(write_end, b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    os.close(write_end)
    service = SilentService()
    create_server({}, service).serve(read_end, io.BytesIO())
    os.close(read_end)
    assert [request.text for request in service.requests] == ["x", "y\nx"]


@pytest.mark.parametrize(
    ("before", "after", "suggested", "word", "label"),
    [
        pytest.param("x = self.rad", "", "ius**2", "rad", "radius**2", id="within a word"),
        pytest.param("x = self.", "", "radius", "", "radius", id="at a dot"),
        pytest.param("x = ", "", "  radius", "", "radius", id="after a space"),
        pytest.param("y\r\n𝔘 = '😋'; r_2", "", "d", "r_2", "r_2d", id="line ends of Windows"),
        pytest.param("x = 𝔘n", "", "it", "𝔘n", "𝔘nit", id="a name beyond the basic plane"),
        pytest.param("print", ")", "(x)", "print", "print(x)", id="before a closed bracket"),
        pytest.param("if x", "", ":\n    pass", "x", "x:", id="several lines"),
        pytest.param("f(x)\nx", "", "\n    \ny = 1", "x", "y = 1", id="on the next line"),
        pytest.param("a" * 300, "", ".b", "", ".b", id="data"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_an_item_of_the_plain_list_begins_with_the_word_before_the_cursor(
    before, after, suggested, word, label, encoding
):
    """If it fails, Helix and Emacs hide the item, since it is none for the word that is typed."""
    session, tail = Session(), "\r\nend"
    capabilities = {"general": {"positionEncodings": [encoding]}}
    await session.initialize(capabilities=capabilities)
    document = {"uri": URI, "text": before + after + tail}
    await session.send(method="textDocument/didOpen", params={"textDocument": document})
    suggestion = Suggestion(text=suggested, covered=len(after))
    session.service.result = CompletionResult(suggestion=suggestion)
    cursor = place(before, encoding)
    asked = {"textDocument": {"uri": URI}, "position": cursor}
    (item,) = (await session.request("textDocument/completion", asked))["result"]["items"]
    start = place(before[: len(before) - len(word)], encoding)
    end = place(before + after, encoding)
    assert item["textEdit"] == {"range": {"start": start, "end": end}, "newText": word + suggested}
    assert item["filterText"] == word + suggested.partition("\n")[0].rstrip()
    assert item["label"] == label
    accepted = session.server.inline_completion._if_accepted[URI].text
    assert accepted.replace("\r", "") == (before + suggested + tail).replace("\r", "")
    assert session.errors == []


async def test_without_a_worker_no_memory_is_the_models():
    """If it fails, a model that is not loaded seems to take the memory of the server."""
    session = await started()
    asked = {"command": "parrotlet.health", "arguments": []}
    health = (await session.request("workspace/executeCommand", asked))["result"]
    assert health["server_mib"] > 1
    assert health["worker_mib"] is None
    assert "model" not in dict(health["report"])["Memory"]
    session.service.worker_pid = os.getpid()
    health = (await session.request("workspace/executeCommand", asked))["result"]
    assert health["worker_mib"] > 1
    assert "model" in dict(health["report"])["Memory"]


def place(before, encoding):
    """Returns the position at the end of a text."""
    line = before.rpartition("\n")[2]
    units = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    name = encoding if encoding == "utf-8" else f"{encoding}-le"
    return {"line": before.count("\n"), "character": len(line.encode(name)) // units}
