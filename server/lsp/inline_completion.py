"""Completes at a position of an open document: from the client's request to what it may insert.

Called by the handlers in ``features`` and ``protocol``. The suggestion itself comes from
:mod:`server.worker.service`.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lsprotocol import types

from server.adaptation.adaptations import note_typing
from server.lsp.battery import BatteryPause
from server.lsp.configuration import Configuration
from server.lsp.documents.open_documents import OpenDocuments
from server.lsp.documents.text_document import TextDocument
from server.lsp.insertion import AcceptedText, InsertionPoint, SuggestedEdit
from server.lsp.workspace_context import WorkspaceContext
from server.suggestion.event import CompletionEvent, Stage
from server.suggestion.explanation import (
    ELSEWHERE,
    NOT_OPEN,
    ON_BATTERY,
    PRIVATE,
    STALE,
    UNKNOWN_TEXT,
)
from server.suggestion.request import CompletionRequest
from server.suggestion.result import CompletionResult
from server.worker.pending_requests import PendingRequest
from server.worker.service import CompletionService
from server.workspace.private_files import is_private

_N_TO_CYCLE = 3  # suggestions for a user who wants another one than is shown
_MAX_ASKED = 256  # documents whose last request is remembered


@dataclass(kw_only=True)
class AskedRequest:
    """A request of the client, and how it ended: by itself, or in the service.

    ``shown_at`` is the document's revision and the place of what was shown, if anything was.
    """

    uri: str
    position: tuple[int, int]
    event: CompletionEvent | None = None
    pending: PendingRequest | None = None
    shown_at: tuple[int, InsertionPoint] | None = None


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
        self._asked: OrderedDict[str, AskedRequest] = OrderedDict()  # the last one of each document

    def change(self, identifier: Any, changes: Any) -> None:
        """Changes a document; if that accepts its suggestion, the next one is computed ahead.

        Args:
            identifier: A ``VersionedTextDocumentIdentifier``, as the client sent it.
            changes: A list of ``TextDocumentContentChangeEvent``, as the client sent it.
        """
        change = self._documents.read(identifier, changes)
        if change is None:
            return
        note_typing()
        self._service.supersede(change.uri)
        document = self._documents.change(change)
        accepted = self._if_accepted.pop(change.uri, None)
        if document is None or accepted is None or accepted.text != document.text:
            return
        if document.is_known and not self._pause.is_active():
            point = InsertionPoint(start=accepted.offset, end=accepted.offset, selected_text="")
            request = self._request(change.uri, document, point, is_asked_for=False)
            self._service.compute_ahead(request)

    def move_cursor(self, uri: str, position: types.Position) -> None:
        """Has the model read what it would need at a position where the cursor has come to rest."""
        document = self._documents.get(uri)
        if document is None or not document.is_known or self._pause.is_active():
            return
        if is_private(uri, self._configuration.settings.private_globs):
            return
        point = InsertionPoint.at(document, position, None)
        self._service.read_ahead(self._request(uri, document, point, is_asked_for=False))

    def close(self, uri: str) -> None:
        """Closes a document."""
        self._service.supersede(uri)
        self._documents.close(uri)
        self._workspace.close_document(uri)
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

        A user who asks where a suggestion was shown wants alternatives, which take long to draw.
        Any other answer has one suggestion, so that it comes at once.

        Args:
            uri: The document's.
            position: The cursor.
            is_asked_for: Whether the user asked for a suggestion.
            selected: The selected item of the editor's list, which the suggestion extends.
        """
        asked = AskedRequest(uri=uri, position=(position.line, position.character))
        last = self._asked.pop(uri, None)
        self._asked[uri] = asked
        if len(self._asked) > _MAX_ASKED:
            self._asked.popitem(last=False)
        document = self._documents.get(uri)
        reason = self._find_obstacle(uri, document, is_asked_for=is_asked_for)
        if document is None or reason is not None:
            asked.event = self._service.withhold(reason or NOT_OPEN, is_asked_for=is_asked_for)
            return []
        point = InsertionPoint.at(document, position, selected)
        revision = document.revision
        is_shown_here = last is not None and last.shown_at == (revision, point)
        if is_shown_here:  # also if the editor has asked again meanwhile
            asked.shown_at = (revision, point)
        cycles = is_asked_for and is_shown_here
        n_wanted = _N_TO_CYCLE if cycles else 1
        request = self._request(uri, document, point, is_asked_for=is_asked_for, n_wanted=n_wanted)
        quiet_s = time.monotonic() - document.changed_s
        asked.pending = self._service.submit(request, quiet_s=quiet_s)
        result = await self._result(asked.pending)
        if result is None or not result.suggestion.text:
            return []
        if self._documents.get(uri) is not document or document.revision != revision:
            asked.event = self._service.describe(Stage.CANCELLED, STALE)
            return []
        self._if_accepted[uri] = AcceptedText.of(document, point, result)
        asked.shown_at = (revision, point)
        return SuggestedEdit.all_of(document, point, result)

    def explain(
        self, uri: str | None = None, position: tuple[int, int] | None = None
    ) -> CompletionEvent | None:
        """Returns how a request ended, or that it has not; None if there was none.

        Args:
            uri: The document whose last request is meant; None for the last request of all.
            position: Where it is meant to have been; None for anywhere.
        """
        if uri is None and self._asked:
            uri = next(reversed(self._asked))
        asked = None if uri is None else self._asked.get(uri)
        if asked is None:
            return None
        if position is not None and position != asked.position:
            return self._service.describe(Stage.WITHHELD, ELSEWHERE)
        if asked.event is not None or asked.pending is None:
            return asked.event
        return self._service.event_of(asked.pending)

    def _find_obstacle(
        self, uri: str, document: TextDocument | None, *, is_asked_for: bool
    ) -> str | None:
        """Returns why there is no suggestion, whatever the model would generate."""
        if document is None:
            self._warn_once(uri, "ignored a completion request for a document that is not open")
            return NOT_OPEN
        if not document.is_known:
            return UNKNOWN_TEXT
        if is_private(uri, self._configuration.settings.private_globs):
            self._warn_once(uri, "no suggestions in a private file")
            return PRIVATE
        return ON_BATTERY if not is_asked_for and self._pause.is_active() else None

    async def _result(self, pending: PendingRequest) -> CompletionResult | None:
        """Waits for the service; None if the request was superseded or failed."""
        try:
            return await asyncio.shield(asyncio.wrap_future(pending.future))
        except asyncio.CancelledError:
            self._service.cancel(pending)
            raise

    def _request(
        self,
        uri: str,
        document: TextDocument,
        point: InsertionPoint,
        *,
        is_asked_for: bool,
        n_wanted: int = 1,
    ) -> CompletionRequest:
        above, below = self._documents.text_around(uri)
        before = above + document.text[: point.start] + point.selected_text
        text = before + document.text[point.end :]
        self._workspace.refresh(uri, text, len(before))
        self._workspace.share_documents(uri)
        return CompletionRequest(
            text=text + below,
            offset=len(before),
            is_asked_for=is_asked_for,
            document=uri,
            n_wanted=n_wanted,
        )
