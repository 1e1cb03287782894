"""The documents that the client has open, by URI, and the notebooks that some of them belong to.

A document's text is either the editor's or known to be unknown: after a message that cannot be
understood, the documents that it may be about are lost until the client sends their whole text.
"""

import json
import re
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from server.lsp.documents.document_changes import (
    MalformedChangeError,
    TextChange,
    read_change,
    read_opened,
)
from server.lsp.documents.notebooks import Notebooks
from server.lsp.documents.text_document import Encoding, TextDocument

MAX_TEXTS = 32  # of documents that were edited last
_CHANGE = re.compile(rb"ocument\\?/didChange\b")  # of texts or notebooks; some clients escape "/"
_MAX_SEARCHED_BYTES = 1 << 20
_OPENING = re.compile(rb"ocument\\?/didOpen\b")


class OpenDocuments:
    """All open documents.

    They are our own, since pygls splits lines at form feeds too.

    Args:
        warn_once: Takes a key and a warning, which is logged the first time.
        on_lost: Called with the URIs of documents whose text is not known any more.
    """

    def __init__(
        self,
        warn_once: Callable[[str, str], None],
        on_lost: Callable[[Sequence[str]], None] = lambda _uris: None,
    ) -> None:
        self.notebooks = Notebooks()
        self._warn_once = warn_once
        self._on_lost = on_lost
        self._by_uri: dict[str, TextDocument] = {}  # the latest edited last

    def __len__(self) -> int:
        return len(self._by_uri)

    def get(self, uri: str) -> TextDocument | None:
        """Returns an open document, None if there is no such document."""
        return self._by_uri.get(uri)

    def open(self, item: Any, encoding: Encoding) -> None:
        """Adds a document that was opened.

        Args:
            item: A ``TextDocumentItem``.
            encoding: The one that was negotiated.
        """
        try:
            opened = read_opened(item)
        except MalformedChangeError:
            self._warn_once("open", "ignored a document without a URI")
            return
        self._by_uri.pop(opened.uri, None)
        document = TextDocument(opened.text or "", encoding)
        self._by_uri[opened.uri] = document
        if opened.text is None:
            self._lose([opened.uri])

    def close(self, uri: str) -> None:
        """Removes a document."""
        self._by_uri.pop(uri, None)

    def read(self, identifier: Any, changes: Any) -> TextChange | None:
        """Reads changes; None if they name no document, after which none is known any more.

        Args:
            identifier: A ``VersionedTextDocumentIdentifier``.
            changes: A list of ``TextDocumentContentChangeEvent``.
        """
        try:
            return read_change(identifier, changes)
        except MalformedChangeError:
            self.lose_all()
            return None

    def change(self, change: TextChange) -> TextDocument | None:
        """Applies changes in order; returns the document, None if it is not open."""
        document = self._by_uri.pop(change.uri, None)
        if document is None:
            self._warn_once(change.uri, "ignored a change to a document that is not open")
            return None
        self._by_uri[change.uri] = document
        document.changed_s = time.monotonic()
        if change.edits is None:
            self._lose([change.uri])
        for edit in change.edits or ():
            if isinstance(edit, str):
                document.replace(edit)
            elif document.is_known:
                document.edit(edit)
        return document

    def distrust(self, message: bytes) -> None:
        """Loses the documents that a message which cannot be understood may have changed."""
        may_change = _CHANGE.search(message) is not None
        if not may_change and not _OPENING.search(message):
            return
        is_long = len(message) > _MAX_SEARCHED_BYTES
        named = [uri for uri in self._by_uri if not is_long and _mentions(message, uri)]
        self._lose(named or (list(self._by_uri) if may_change or is_long else []))

    def lose_all(self) -> None:
        """Loses every document."""
        self._lose(list(self._by_uri))

    def texts(self) -> dict[str, str]:
        """Returns the texts of the documents that were edited last, the latest first."""
        known = (item for item in reversed(self._by_uri.items()) if item[1].is_known)
        return {uri: document.text for uri, document in islice(known, MAX_TEXTS)}

    def revisions(self) -> dict[str, object]:
        """Returns what changes with the text of each document that was edited lately."""
        known = (item for item in reversed(self._by_uri.items()) if item[1].is_known)
        return {
            uri: (id(document), document.revision) for uri, document in islice(known, MAX_TEXTS)
        }

    def text_around(self, uri: str) -> tuple[str, str]:
        """Returns the text above and below a document, if it is a notebook's cell."""
        return self.notebooks.text_around(uri, self._by_uri)

    def _lose(self, uris: Sequence[str]) -> None:
        lost = [uri for uri in uris if self._by_uri[uri].is_known]
        for uri in lost:
            self._by_uri[uri].lose()
        if lost:
            self._on_lost(lost)


def _mentions(message: bytes, uri: str) -> bool:
    escaped = json.dumps(uri)[1:-1]
    forms = (uri, escaped, escaped.replace("/", "\\/"))
    return any(form.encode("utf-8", "surrogatepass") in message for form in forms)
