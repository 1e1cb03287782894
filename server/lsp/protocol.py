"""pygls' protocol with our own documents, and with an answer to malformed messages."""

from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol, lsp_method

from server.lsp.documents.text_document import Encoding

if TYPE_CHECKING:
    from server.lsp.server import Server

PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS = -32700, -32600, -32602


class Protocol(LanguageServerProtocol):
    """What pygls calls when a message arrives."""

    _server: "Server"

    @property
    def exit_code(self) -> int:
        """0 if the client sent "shutdown" before it left, else 1, as the specification demands."""
        return 0 if self._shutdown else 1

    def position_encoding(self) -> Encoding:
        """Returns the unit of columns that was negotiated; the default before "initialize"."""
        capabilities = getattr(self, "server_capabilities", types.ServerCapabilities())
        chosen = capabilities.position_encoding or types.PositionEncodingKind.Utf16
        name = chosen.value if isinstance(chosen, types.PositionEncodingKind) else str(chosen)
        return name if name in {"utf-8", "utf-32"} else "utf-16"  # type: ignore[return-value]

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Converts JSON into a message; answers what cannot be converted, and returns None."""
        try:
            return super().structure_message(data)
        except JsonRpcException:
            method = str(data.get("method", "a message"))[:80]
            if "id" in data and "method" in data:
                self.refuse(data["id"], INVALID_PARAMS, f"the parameters of {method} are malformed")
            self._server.warn_once(method, f"ignored {method}: its parameters are malformed")
            return None

    def handle_message(self, message: Any) -> None:
        """Handles a message, unless it has been answered already or is not one."""
        if hasattr(message, "jsonrpc"):
            super().handle_message(message)
        elif message is not None:
            self.refuse(None, INVALID_REQUEST, "a message must be an object with 'jsonrpc'")

    def refuse(self, msg_id: Any, code: int, sentence: str) -> None:
        """Answers with an error."""
        known_id = msg_id if isinstance(msg_id, (int, str)) else None
        error = types.ResponseError(code=code, message=sentence)
        self._send_data(types.ResponseErrorMessage(id=known_id, error=error))

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        """Opens a document."""
        self._server.documents.open(params.text_document, self.position_encoding())

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Changes a document; a request under way for its old text is cancelled."""
        self._server.inline_completion.change(params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Closes a document."""
        self._server.inline_completion.close(params.text_document.uri)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def lsp_notebook_document__did_open(self, params: types.DidOpenNotebookDocumentParams) -> None:
        """Opens a notebook and its cells."""
        self._server.documents.notebooks.open(params)
        for item in params.cell_text_documents:
            self._server.documents.open(item, self.position_encoding())

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def lsp_notebook_document__did_change(
        self, params: types.DidChangeNotebookDocumentParams
    ) -> None:
        """Opens and closes cells, and changes their texts."""
        self._server.documents.notebooks.change(params)
        cells = params.change.cells
        if cells is None:
            return
        if cells.structure is not None:
            for item in cells.structure.did_open or ():
                self._server.documents.open(item, self.position_encoding())
            for closed in cells.structure.did_close or ():
                self._server.inline_completion.close(closed.uri)
        for content in cells.text_content or ():
            self._server.inline_completion.change(
                types.DidChangeTextDocumentParams(
                    text_document=content.document, content_changes=content.changes
                )
            )

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def lsp_notebook_document__did_close(
        self, params: types.DidCloseNotebookDocumentParams
    ) -> None:
        """Closes a notebook and its cells."""
        self._server.documents.notebooks.close(params.notebook_document.uri)
        for item in params.cell_text_documents:
            self._server.inline_completion.close(item.uri)
