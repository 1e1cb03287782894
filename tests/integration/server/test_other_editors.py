"""Editors without inline completion: the messages that Helix, Emacs and Sublime Text really send.

The shapes are those of their clients' sources: helix-lsp's ``client.rs``, Emacs' ``eglot.el`` and
Sublime's package LSP, ``plugin/core/sessions.py``.
"""

import pytest
from lsp_client import Client

pytestmark = pytest.mark.integration

URI = "file:///w/shapes.py"

HELIX = {
    "clientInfo": {"name": "helix", "version": "25.07.1"},
    "initializationOptions": {"suggestion": {"eagerness": "always"}},
    "capabilities": {
        "general": {"positionEncodings": ["utf-8", "utf-32", "utf-16"]},
        "textDocument": {
            "completion": {
                "completionItem": {
                    "deprecatedSupport": True,
                    "insertReplaceSupport": True,
                    "resolveSupport": {"properties": ["documentation", "detail"]},
                    "snippetSupport": True,
                    "tagSupport": {"valueSet": [1]},
                },
                "completionItemKind": {},
            },
            "publishDiagnostics": {"tagSupport": {"valueSet": [1, 2]}, "versionSupport": True},
        },
        "window": {"workDoneProgress": True},
        "workspace": {
            "applyEdit": True,
            "configuration": True,
            "didChangeConfiguration": {"dynamicRegistration": False},
            "workspaceFolders": True,
        },
    },
}
EMACS = {
    "clientInfo": {"name": "Eglot", "version": "1.18"},
    "initializationOptions": {"suggestion": {"eagerness": "always"}},
    "capabilities": {
        "general": {"positionEncodings": ["utf-32", "utf-8", "utf-16"]},
        "textDocument": {
            "synchronization": {
                "dynamicRegistration": False,
                "willSave": True,
                "willSaveWaitUntil": True,
                "didSave": True,
            },
            "completion": {
                "dynamicRegistration": False,
                "completionItem": {
                    "snippetSupport": False,
                    "deprecatedSupport": True,
                    "resolveSupport": {"properties": ["documentation", "details"]},
                    "tagSupport": {"valueSet": [1]},
                },
                "contextSupport": True,
            },
        },
        "window": {"showDocument": {"support": True}, "workDoneProgress": True},
        "workspace": {"applyEdit": True, "configuration": True, "workspaceFolders": True},
        "experimental": {},
    },
}
SUBLIME = {
    "clientInfo": {"name": "Sublime Text LSP", "version": "2.5.0"},
    "initializationOptions": {"suggestion": {"eagerness": "always"}},
    "capabilities": {
        "general": {
            "regularExpressions": {"engine": "ECMAScript"},
            "markdown": {"parser": "Python-Markdown", "version": "3.2.2"},
        },
        "textDocument": {
            "synchronization": {"dynamicRegistration": True, "didSave": True, "willSave": True},
            "completion": {
                "dynamicRegistration": True,
                "completionItem": {"snippetSupport": True, "insertReplaceSupport": True},
                "insertTextMode": 2,
                "completionList": {"itemDefaults": ["editRange", "insertTextFormat", "data"]},
            },
        },
        "window": {"showMessage": {"messageActionItem": {"additionalPropertiesSupport": True}}},
        "workspace": {"applyEdit": True, "configuration": True, "workspaceFolders": True},
    },
}
INVOKED, CHARACTER = {"triggerKind": 1}, {"triggerKind": 2, "triggerCharacter": "."}


@pytest.mark.parametrize(
    ("editor", "context", "tells_length", "encoding"),
    [
        pytest.param(HELIX, CHARACTER, False, "utf-8", id="helix"),
        pytest.param(EMACS, INVOKED, True, "utf-32", id="emacs"),
        pytest.param(SUBLIME, None, True, "utf-16", id="sublime"),
    ],
)
def test_completion_by_the_plain_list(
    tiny_artifact, known_module, editor, context, tells_length, encoding
):
    """If it fails, who uses such an editor has nothing, or text in the wrong place."""
    start = known_module.index(".pi * self.radius**2")
    head, tail = known_module[:start], known_module[known_module.index("\n", start) :]
    line, column = head.count("\n"), len(head) - head.rfind("\n") - 1
    units = {"utf-8": 4, "utf-32": 1, "utf-16": 2}[encoding]
    with Client("--model", tiny_artifact) as client:
        client.configuration = {}
        root = "/w"
        folders = [{"uri": f"file://{root}", "name": "w"}]
        first = {"processId": 1, "rootPath": root, "rootUri": folders[0]["uri"], **editor}
        result = client.request("initialize", {**first, "workspaceFolders": folders})["result"]
        assert result["capabilities"]["positionEncoding"] == encoding
        assert "." in result["capabilities"]["completionProvider"]["triggerCharacters"]
        client.notify("initialized", {})
        client.notify("workspace/didChangeConfiguration", {"settings": {}})
        client.open(URI, head.replace("\n", "\n#𝔘\n", 1) + tail)
        at = {"line": 1, "character": 1}
        end = {"line": 1, "character": 1 + units}
        change = {"range": {"start": at, "end": end}, "text": ""}
        if tells_length:
            change["rangeLength"] = units
        comment = {"range": {"start": {"line": 1, "character": 0}, "end": at}, "text": ""}
        client.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [change, comment]},
        )
        dot = {"line": line + 1, "character": column}
        typed = {"range": {"start": dot, "end": dot}, "text": "."}
        client.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": URI, "version": 3}, "contentChanges": [typed]},
        )
        asked = {
            "textDocument": {"uri": URI},
            "position": {"line": line + 1, "character": column + 1},
        }
        if context is not None:
            asked["context"] = context
        found = client.request("textDocument/completion", asked)["result"]
        (item,) = found["items"]
        assert item["detail"] == "Parrotlet"
        assert item["textEdit"]["newText"] == "pi * self.radius**2"
        place = {"line": line + 1, "character": column + 1}
        assert item["textEdit"]["range"] == {"start": place, "end": place}
        assert item["filterText"] == item["label"] == "pi * self.radius**2"
        after = {**place, "character": column + 2}
        typed = {"range": {"start": place, "end": place}, "text": "p"}
        client.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": URI, "version": 4}, "contentChanges": [typed]},
        )
        asked = {**asked, "position": after, "context": INVOKED}
        (item,) = client.request("textDocument/completion", asked)["result"]["items"]
        assert item["filterText"] == "pi * self.radius**2"  # of which "p" is the beginning
        edit = {"range": {"start": place, "end": after}, "newText": "pi * self.radius**2"}
        assert item["textEdit"] == edit
        assert client.leave() == 0
