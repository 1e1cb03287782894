"""pygls' protocol with our documents, and with an answer to malformed messages."""

from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol, lsp_method

from server.lsp.documents.text_document import Document

if TYPE_CHECKING:
    from server.lsp.server import Server

PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS = -32700, -32600, -32602


class Protocol(LanguageServerProtocol):
    """What pygls calls when a message comes."""

    _server: "Server"

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Turns JSON into a message; answers what cannot be turned and returns None for it."""
        try:
            return super().structure_message(data)
        except JsonRpcException:
            method = str(data.get("method", "a message"))[:80]
            if "id" in data and "method" in data:
                self.refuse(data["id"], INVALID_PARAMS, f"the parameters of {method} are malformed")
            self._server.warn_once(method, f"ignored {method}: its parameters are malformed")
            return None

    def handle_message(self, message: Any) -> None:
        """Passes a message on, unless it has been answered already or is none."""
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
        """Takes an opened document."""
        item = params.text_document
        self._server.open(item.uri, Document(item.text, item.version))

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Applies changes in order; an answer under way for the old text is called off."""
        self._server.change(params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Forgets a document."""
        self._server.close(params.text_document.uri)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def lsp_notebook_document__did_open(self, params: types.DidOpenNotebookDocumentParams) -> None:
        """Takes an opened notebook and its cells."""
        self._server.notebooks.open(params)
        for item in params.cell_text_documents:
            self._server.open(item.uri, Document(item.text, item.version))

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def lsp_notebook_document__did_change(
        self, params: types.DidChangeNotebookDocumentParams
    ) -> None:
        """Takes cells that came or went, and changes of their texts."""
        self._server.notebooks.change(params)
        cells = params.change.cells
        if cells is None:
            return
        if cells.structure is not None:
            for item in cells.structure.did_open or ():
                self._server.open(item.uri, Document(item.text, item.version))
            for closed in cells.structure.did_close or ():
                self._server.close(closed.uri)
        for content in cells.text_content or ():
            self._server.change(
                types.DidChangeTextDocumentParams(
                    text_document=content.document, content_changes=content.changes
                )
            )

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def lsp_notebook_document__did_close(
        self, params: types.DidCloseNotebookDocumentParams
    ) -> None:
        """Forgets a notebook and its cells."""
        self._server.notebooks.close(params.notebook_document.uri)
        for item in params.cell_text_documents:
            self._server.close(item.uri)

    @property
    def exit_code(self) -> int:
        """0 if the client said goodbye before it left, else 1, as the protocol demands."""
        return 0 if self._shutdown else 1
