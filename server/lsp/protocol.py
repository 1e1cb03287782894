"""What is called when a message about documents, folders or the session arrives.

Their parameters are read by our own code (:mod:`server.lsp.documents.document_changes`): pygls
refuses much that can be understood, and keeps a second copy of every text.
"""

from collections.abc import Generator
from types import NoneType
from typing import TYPE_CHECKING, Any

import attrs
from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams
from pygls.protocol import lsp_method

from server.lsp.connection.json_rpc import JsonRpc
from server.lsp.documents.document_changes import (
    MalformedChangeError,
    clamp_positions,
    get_field,
    read_uri,
)
from server.lsp.documents.text_document import Encoding

if TYPE_CHECKING:
    from server.lsp.server import Server


class Protocol(JsonRpc):
    """The handlers that pygls finds by their decorators."""

    _server: "Server"
    plain_methods = frozenset(
        {
            types.TEXT_DOCUMENT_DID_OPEN,
            types.TEXT_DOCUMENT_DID_CHANGE,
            types.TEXT_DOCUMENT_DID_CLOSE,
            types.NOTEBOOK_DOCUMENT_DID_OPEN,
            types.NOTEBOOK_DOCUMENT_DID_CHANGE,
            types.NOTEBOOK_DOCUMENT_DID_CLOSE,
            types.WORKSPACE_DID_CHANGE_CONFIGURATION,
            types.WORKSPACE_EXECUTE_COMMAND,
        }
    )

    def warn_once(self, key: str, sentence: str) -> None:
        """Logs a warning, unless there was one for the same key."""
        self._server.warn_once(key, sentence)

    def position_encoding(self) -> Encoding:
        """Returns the unit of columns that was negotiated; the default before "initialize"."""
        capabilities = getattr(self, "server_capabilities", types.ServerCapabilities())
        chosen = capabilities.position_encoding or types.PositionEncodingKind.Utf16
        name = chosen.value if isinstance(chosen, types.PositionEncodingKind) else str(chosen)
        return name if name in {"utf-8", "utf-32"} else "utf-16"  # type: ignore[return-value]

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(
        self, params: types.InitializeParams
    ) -> Generator[Any, Any, types.InitializeResult]:
        """Applies what the client says about itself.

        pygls' own workspace gets no folders: it fails for a URI that it cannot parse.
        """
        self._server.configure(params)
        self.is_initialized = True
        bare = attrs.evolve(params, root_uri=None, root_path=None, workspace_folders=None)
        return (yield from super().lsp_initialize(bare))

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_: Any) -> None:  # type: ignore[override]
        """Ends the session."""
        self.has_exited = True

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: Any) -> None:
        """Opens a document."""
        self._server.documents.open(get_field(params, "textDocument"), self.position_encoding())

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: Any) -> None:
        """Changes a document; a request under way for its old text is cancelled."""
        self._server.inline_completion.change(
            get_field(params, "textDocument"), get_field(params, "contentChanges")
        )

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: Any) -> None:
        """Closes a document."""
        self._close(get_field(params, "textDocument"))

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def lsp_notebook_document__did_open(self, params: Any) -> None:
        """Opens a notebook and its cells."""
        notebook = get_field(params, "notebookDocument")
        uri = _find_uri(notebook)
        if uri is not None:
            self._server.documents.notebooks.open(uri, get_field(notebook, "cells"))
        for item in _list(params, "cellTextDocuments"):
            self._server.documents.open(item, self.position_encoding())

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def lsp_notebook_document__did_change(self, params: Any) -> None:
        """Opens and closes cells, and changes their texts."""
        change = get_field(params, "change")
        cells = get_field(change, "cells")
        texts = get_field(cells, "textContent")
        is_understood = isinstance(change, dict) and isinstance(cells, (dict, NoneType))
        if not is_understood or not isinstance(texts, (list, NoneType)):
            self._server.documents.lose_all()  # any cell may have been changed
        structure = get_field(cells, "structure")
        if structure is not None:
            uri = _find_uri(get_field(params, "notebookDocument"))
            if uri is not None:
                self._server.documents.notebooks.change(uri, get_field(structure, "array"))
            for item in _list(structure, "didOpen"):
                self._server.documents.open(item, self.position_encoding())
            for closed in _list(structure, "didClose"):
                self._close(closed)
        for content in _list(cells, "textContent"):
            self._server.inline_completion.change(
                get_field(content, "document"), get_field(content, "changes")
            )

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def lsp_notebook_document__did_close(self, params: Any) -> None:
        """Closes a notebook and its cells."""
        uri = _find_uri(get_field(params, "notebookDocument"))
        if uri is not None:
            self._server.documents.notebooks.close(uri)
        for item in _list(params, "cellTextDocuments"):
            self._close(item)

    @lsp_method(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def lsp_workspace__did_change_workspace_folders(
        self, params: types.DidChangeWorkspaceFoldersParams
    ) -> None:
        """Adds and removes folders."""
        self._server.workspace_context.change_folders(params.event)

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    def lsp_workspace__execute_command(self, params: Any) -> Generator[Any, Any, Any]:
        """Runs a command with the arguments that the client gives, whatever they are."""
        handler = self.fm.commands.get(str(get_field(params, "command")))
        if handler is None:
            raise JsonRpcInvalidParams(message="there is no such command")
        return (yield handler, tuple(_list(params, "arguments")), None)

    def _receive_call(self, method: str, msg_id: Any, params: Any) -> None:
        if method in {types.TEXT_DOCUMENT_INLINE_COMPLETION, types.TEXT_DOCUMENT_COMPLETION}:
            clamp_positions(params)
        super()._receive_call(method, msg_id, params)

    def _close(self, identifier: Any) -> None:
        uri = _find_uri(identifier)
        if uri is not None:
            self._server.inline_completion.close(uri)


def _list(value: Any, key: str) -> list[Any]:
    found = get_field(value, key)
    return found if isinstance(found, list) else []


def _find_uri(identifier: Any) -> str | None:
    try:
        return read_uri(identifier)
    except MalformedChangeError:
        return None
