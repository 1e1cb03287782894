"""The documents that the client has open, by URI, and the notebooks that some of them belong to."""

import time
from collections.abc import Callable

from lsprotocol import types

from server.lsp.documents.notebooks import Notebooks
from server.lsp.documents.text_document import Edit, Encoding, TextDocument


class OpenDocuments:
    """All open documents.

    They are our own, since pygls splits lines at form feeds too.

    Args:
        warn_once: Takes a key and a warning, which is logged the first time.
    """

    def __init__(self, warn_once: Callable[[str, str], None]) -> None:
        self.notebooks = Notebooks()
        self._warn_once = warn_once
        self._by_uri: dict[str, TextDocument] = {}  # the latest edited last

    def __len__(self) -> int:
        return len(self._by_uri)

    def get(self, uri: str) -> TextDocument | None:
        """Returns an open document, None if there is no such document."""
        return self._by_uri.get(uri)

    def open(self, item: types.TextDocumentItem, encoding: Encoding) -> None:
        """Adds a document that was opened; the encoding is the one that was negotiated."""
        self._by_uri[item.uri] = TextDocument(item.text, item.version, encoding)

    def close(self, uri: str) -> None:
        """Removes a document."""
        self._by_uri.pop(uri, None)

    def change(self, params: types.DidChangeTextDocumentParams) -> TextDocument | None:
        """Applies changes in order; returns the document, None if it is not open."""
        uri, version = params.text_document.uri, params.text_document.version
        document = self._by_uri.pop(uri, None)
        if document is None:
            self._warn_once(uri, "ignored a change to a document that is not open")
            return None
        self._by_uri[uri] = document
        document.changed_s = time.monotonic()
        for change in params.content_changes:
            if isinstance(change, types.TextDocumentContentChangePartial):
                start, end = change.range.start, change.range.end
                edit = Edit(
                    start=(start.line, start.character),
                    end=(end.line, end.character),
                    text=change.text,
                )
                document.edit(edit, version)
            else:
                document.replace(change.text, version)
        return document

    def texts(self) -> dict[str, str]:
        """Returns the texts of all documents, the latest edited first."""
        return {uri: self._by_uri[uri].text for uri in reversed(self._by_uri)}

    def text_around(self, uri: str) -> tuple[str, str]:
        """Returns the text above and below a document, if it is a notebook's cell."""
        return self.notebooks.text_around(uri, self._by_uri)
