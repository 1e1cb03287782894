"""Completes at a position of an open document: from the client's request to what it may insert.

Called by the handlers in ``features`` and ``protocol``. The suggestion itself comes from
:mod:`server.worker.service`.
"""

import asyncio
import time
from collections.abc import Callable

from lsprotocol import types

from server.lsp.battery import BatteryPause
from server.lsp.configuration import Configuration
from server.lsp.documents.open_documents import OpenDocuments
from server.lsp.documents.text_document import TextDocument
from server.lsp.insertion import AcceptedText, InsertionPoint, SuggestedEdit
from server.lsp.workspace_context import WorkspaceContext
from server.suggestion.explanation import NOT_OPEN, ON_BATTERY, OUTSIDE, PRIVATE
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult
from server.worker.service import CompletionService
from server.workspace.private_files import is_private

_N_ON_REQUEST = 3  # suggestions for a user who asks for one


class InlineCompletion:
    """Answers requests for suggestions, and computes the next one when one is accepted.

    Args:
        documents: The open documents.
        workspace: What other files contribute.
        configuration: The settings that hold.
        service: Not necessarily started.
        warn_once: Takes a key and a warning, which is logged the first time.
    """

    def __init__(
        self,
        *,
        documents: OpenDocuments,
        workspace: WorkspaceContext,
        configuration: Configuration,
        service: CompletionService,
        warn_once: Callable[[str, str], None],
    ) -> None:
        self._documents = documents
        self._workspace = workspace
        self._configuration = configuration
        self._service = service
        self._warn_once = warn_once
        self._pause = BatteryPause(configuration, service.status)
        self._if_accepted: dict[str, AcceptedText] = {}  # of each document's last suggestion

    def change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Changes a document; if that accepts its suggestion, the next one is computed ahead."""
        uri = params.text_document.uri
        self._service.supersede(uri)
        document = self._documents.change(params)
        accepted = self._if_accepted.pop(uri, None)
        if document is None or accepted is None or accepted.text != document.text:
            return
        if not self._pause.is_active():
            point = InsertionPoint(start=accepted.offset, end=accepted.offset, selected_text="")
            self._service.submit(self._request(uri, document, point, is_asked_for=False))

    def close(self, uri: str) -> None:
        """Closes a document."""
        self._service.supersede(uri)
        self._documents.close(uri)
        self._if_accepted.pop(uri, None)

    async def suggest(
        self,
        uri: str,
        position: types.Position,
        *,
        is_asked_for: bool = False,
        selected: types.SelectedCompletionInfo | None = None,
    ) -> list[SuggestedEdit]:
        """Returns what to insert, the best first; nothing if nothing is to be shown.

        Args:
            uri: The document's.
            position: The cursor.
            is_asked_for: Whether the user asked for a suggestion, and so wants alternatives too.
            selected: The selected item of the editor's list, which the suggestion extends.
        """
        document = self._documents.get(uri)
        if document is None:
            self._warn_once(uri, "ignored a completion request for a document that is not open")
            return self._withhold(NOT_OPEN, is_asked_for=is_asked_for)
        try:
            point = InsertionPoint.at(document, position, selected)
        except IndexError as error:
            self._warn_once(uri, f"ignored a completion request past the end of the text ({error})")
            return self._withhold(OUTSIDE, is_asked_for=is_asked_for)
        if is_private(uri, self._configuration.settings.private_globs):
            self._warn_once(uri, "no suggestions in a private file")
            return self._withhold(PRIVATE, is_asked_for=is_asked_for)
        if not is_asked_for and self._pause.is_active():
            return self._withhold(ON_BATTERY, is_asked_for=is_asked_for)
        version = document.version
        request = self._request(uri, document, point, is_asked_for=is_asked_for)
        result = await self._result(request, quiet_s=time.monotonic() - document.changed_s)
        is_current = self._documents.get(uri) is document and document.version == version
        if result is None or not result.suggestion.text or not is_current:
            return []
        self._if_accepted[uri] = AcceptedText.of(document, point, result)
        return SuggestedEdit.all_of(document, point, result)

    def _withhold(self, reason: str, *, is_asked_for: bool) -> list[SuggestedEdit]:
        """Records why there is no suggestion, whatever the model would generate."""
        self._service.withhold(reason, is_asked_for=is_asked_for)
        return []

    async def _result(
        self, request: CompletionRequest, *, quiet_s: float
    ) -> CompletionResult | None:
        """Waits for the service; None if the request was superseded or failed."""
        pending = self._service.submit(request, quiet_s=quiet_s)
        try:
            return await asyncio.shield(asyncio.wrap_future(pending.future))
        except asyncio.CancelledError:
            self._service.cancel(pending)
            raise

    def _request(
        self, uri: str, document: TextDocument, point: InsertionPoint, *, is_asked_for: bool
    ) -> CompletionRequest:
        above, below = self._documents.text_around(uri)
        before = above + document.text[: point.start] + point.selected_text
        text = before + document.text[point.end :]
        self._workspace.refresh(uri, text, len(before))
        return CompletionRequest(
            text=text + below,
            offset=len(before),
            is_asked_for=is_asked_for,
            document=uri,
            n_wanted=_N_ON_REQUEST if is_asked_for else 1,
        )
