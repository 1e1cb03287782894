"""Damaged sessions: nothing fails, and no document is something else than the editor's.

A session of an editor is played to the real protocol layer, with damaged messages in between. What
each message means is read by a second reader, as plain as can be; where it has no meaning, a
document's text must be unknown.
"""

import copy
import json
import random
import time

from fuzzing import FUZZ_SECONDS, mutate
from lsp_session import Session
from reference_editor import ReferenceEditor

URIS = ["file:///w/a.py", "untitled:b", "file:///w/é%20😋.py", "cell:1"]
PIECES = ["a", "é", "😋", "\n", "\r\n", "\r", "\x0c", "\ud83d", "\ude0b", "\t", "def f(x):", "中"]
ODD = [
    *(None, True, False, -1, 0, 1.5, 3.0, 2**31, 2**53, 10**400, "", "x", "\ud800", [], {}, [{}]),
    *(
        [None],
        {"line": 0, "character": 0},
        {"uri": URIS[0]},
        "textDocument/didChange",
        "exit",
        URIS[1],
    ),
]


class Client:
    """An editor with several documents; every message of it is sensible."""

    def __init__(self, chance):
        self.chance = chance
        self._version = 0

    def text(self):
        return "".join(self.chance.choices(PIECES, k=self.chance.choice([0, 1, 5, 30])))

    def place(self):
        return {"line": self.chance.randrange(8), "character": self.chance.randrange(12)}

    def change(self):
        if self.chance.random() < 0.1:
            return {"text": self.text()}
        start, end = sorted(
            (self.place() for _ in "ab"), key=lambda at: (at["line"], at["character"])
        )
        return {"range": {"start": start, "end": end}, "text": self.text()}

    def document(self):
        self._version += 1
        return {"uri": self.chance.choice(URIS), "languageId": "python", "version": self._version}

    def message(self):
        kind = self.chance.randrange(12)
        document = self.document()
        changes = [self.change() for _ in range(self.chance.randrange(1, 4))]
        if kind < 5:
            params = {"textDocument": document, "contentChanges": changes}
            return {"method": "textDocument/didChange", "params": params}
        if kind == 5:
            params = {"textDocument": {**document, "text": self.text()}}
            return {"method": "textDocument/didOpen", "params": params}
        if kind == 6:
            return {"method": "textDocument/didClose", "params": {"textDocument": document}}
        if kind == 7:
            cells = {"textContent": [{"document": document, "changes": changes}]}
            params = {"notebookDocument": {"uri": "n", "version": 1}, "change": {"cells": cells}}
            return {"method": "notebookDocument/didChange", "params": params}
        if kind == 8:
            params = {"command": "parrotlet.explain", "arguments": [{"uri": document["uri"]}]}
            return {"id": self._version, "method": "workspace/executeCommand", "params": params}
        if kind == 9:
            settings = {"parrotlet": {"suggestion": {"extent": "line"}, "private_globs": ["x"]}}
            params = {"settings": settings}
            return {"method": "workspace/didChangeConfiguration", "params": params}
        params = {"textDocument": document, "position": self.place(), "context": {"triggerKind": 1}}
        return {"id": self._version, "method": "textDocument/inlineCompletion", "params": params}


class Reader:
    """What the documents are after each message: a text, None where it is unknown."""

    def __init__(self):
        self.editors = {}

    def read(self, body):
        """Reads a message; returns whether it has a meaning."""
        try:
            message = json.loads(body.decode("utf-8", "surrogatepass"))
            assert message["jsonrpc"] == "2.0"
            assert isinstance(message["method"], str)
        except (ValueError, RecursionError, KeyError, TypeError, AssertionError):
            return False
        msg_id = message.get("id")
        if isinstance(msg_id, bool) or not isinstance(msg_id, (int, str, type(None))):
            return False
        method, params = message["method"], message.get("params")
        if method == "textDocument/didChange":
            self._change(params, "textDocument", "contentChanges")
        elif method == "notebookDocument/didChange":
            self._change_cells(params)
        elif method == "textDocument/didOpen" and isinstance(params, dict):
            self._open(params.get("textDocument"))
        elif method == "textDocument/didClose" and isinstance(params, dict):
            closed = params.get("textDocument")
            if isinstance(closed, dict) and isinstance(closed.get("uri"), str):
                self.editors.pop(closed["uri"], None)
        return not method.startswith("notebookDocument/did")

    def _open(self, item):
        if isinstance(item, dict) and isinstance(item.get("uri"), str):
            text = item.get("text")
            is_text = isinstance(text, str)
            self.editors[item["uri"]] = ReferenceEditor(text, "utf-16") if is_text else None

    def _change_cells(self, params):
        try:
            cells = params["change"]["cells"]
            for content in cells["textContent"]:
                self._change(content, "document", "changes")
        except (KeyError, TypeError):
            self.editors = None  # not read here

    def _change(self, params, document, changes):
        uri = None
        try:
            uri = params[document]["uri"]
            assert isinstance(uri, str)
        except (KeyError, TypeError, AssertionError):
            self.editors = dict.fromkeys(self.editors)  # it may be any of them
            return
        if uri not in self.editors:
            return
        try:
            for edit in [self._edit(change) for change in self._list(params[changes])]:
                self._apply(uri, *edit)
        except (KeyError, TypeError, AssertionError):
            self.editors[uri] = None

    def _list(self, changes):
        assert isinstance(changes, list)
        return changes

    def _edit(self, change):
        assert isinstance(change["text"], str)
        if change.get("range") is None:
            return None, None, change["text"]
        ends = [change["range"][name] for name in ("start", "end")]
        start, end = [tuple(self._number(at[key]) for key in ("line", "character")) for at in ends]
        assert start <= end
        return start, end, change["text"]

    def _number(self, value):
        assert isinstance(value, (int, float))
        assert not isinstance(value, bool)
        assert value == value // 1 >= 0
        return int(min(value, 2**31 - 1))

    def _apply(self, uri, start, end, text):
        if start is None:
            self.editors[uri] = ReferenceEditor(text, "utf-16")
        elif self.editors[uri] is not None:
            self.editors[uri].edit(start, end, text)


def damage(message, chance):
    """Returns the bytes of a message with something else in one place, or in several."""
    message = json.loads(json.dumps({"jsonrpc": "2.0", **message}))
    body = json.dumps(message).encode()
    if chance.random() < 0.4:
        return mutate(body, chance)
    for _ in range(chance.choice([1, 1, 2])):
        where = message
        while True:
            keys = list(where) if isinstance(where, dict) else range(len(where))
            if not keys:
                break
            key = chance.choice(list(keys))
            if isinstance(where[key], (dict, list)) and chance.random() < 0.8:
                where = where[key]
                continue
            if chance.random() < 0.3:
                del where[key]
            else:
                where[key] = copy.deepcopy(chance.choice(ODD))
            break
    return json.dumps(message).encode()


def compare(session, reader, *, is_strict):
    """The server's documents are the reader's, where it knows them."""
    for uri in URIS:
        editor = reader.editors.get(uri, False)
        wanted = editor.text if isinstance(editor, ReferenceEditor) else editor
        found = session.state(uri)
        assert found == wanted or (found is None and not is_strict), (uri, found, wanted)


async def play(session, seed, n_messages=12):
    """One session: valid messages, and from some place on damaged ones among them."""
    chance = random.Random(seed)
    client, reader = Client(chance), Reader()
    for uri in URIS:
        opened = {"textDocument": {"uri": uri, "text": client.text()}}
        body = json.dumps(
            {"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": opened}
        ).encode()
        await session.send_body(body)
        reader.read(body)
    compare(session, reader, is_strict=True)
    is_strict = True
    for _ in range(n_messages):
        message = client.message()
        is_damaged = chance.random() < 0.5
        body = (
            damage(message, chance)
            if is_damaged
            else (json.dumps({"jsonrpc": "2.0", **message}).encode())
        )
        is_meant = reader.read(body)
        answers = await session.send_body(body)
        assert session.errors == []
        assert all("raceback" not in json.dumps(answer) for answer in answers)
        protocol = session.server.protocol
        if reader.editors is None or protocol.has_exited or protocol.exit_code == 0:
            return False  # the session is over
        is_strict &= is_meant  # what has no meaning may cost a text
        compare(session, reader, is_strict=is_strict)
    return True


async def test_fuzz_documents_are_the_editors_or_known_to_be_unknown():
    """If it fails, the server completes a text that no editor shows, or a message ends it."""
    deadline, seed = time.monotonic() + FUZZ_SECONDS, 0
    session = None
    while seed < 20 or time.monotonic() < deadline:
        if session is None:
            session = Session()
            await session.initialize()
        try:
            if not await play(session, seed):
                session = None
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        seed += 1


async def test_fuzz_any_stream_is_read_to_its_end():
    """If it fails, some bytes end the server, or make it use all time and memory."""
    deadline, seed = time.monotonic() + FUZZ_SECONDS, 0
    while seed < 5 or time.monotonic() < deadline:
        chance = random.Random(f"stream {seed}")
        session, client = Session(), Client(chance)
        await session.initialize()
        for _ in range(20):
            bodies = [
                json.dumps({"jsonrpc": "2.0", **client.message()}).encode() for _ in range(10)
            ]
            stream = b"".join(
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies
            )
            await session.send_stream(mutate(stream, chance))
            assert session.errors == [], f"seed {seed}"
        seed += 1
