"""One client's server: its documents, its settings, and the service that completes.

What an editor asks is turned into a request of the completer here, and its result into the
protocol's terms.
"""

import asyncio
import dataclasses
import json
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
from lsprotocol import types
from pygls.exceptions import FeatureRequestError
from pygls.lsp.server import LanguageServer

from server import VERSION
from server.lsp.battery import Power
from server.lsp.configuration import Configuration
from server.lsp.documents.notebooks import Notebooks
from server.lsp.documents.text_document import Document, Edit, Encoding
from server.lsp.insertion import Answer, Offered, Place
from server.lsp.load_progress import Loading
from server.lsp.protocol import PARSE_ERROR, Protocol
from server.settings import Settings
from server.suggestion.explanation import NOT_OPEN, ON_BATTERY, OUTSIDE, PRIVATE, closed
from server.suggestion.privacy import is_private
from server.suggestion.request import CompletionRequest
from server.usage_statistics import Statistics, default_folder
from server.worker.messages import Known
from server.worker.service import CompletionService, State
from server.workspace.collector import Knowledge, path_of

STATUS_METHOD = "parrotlet/status"
N_ALTERNATIVES = 3  # for a user who asks
PAUSED = "paused on battery"
MOST_WARNED = 1000  # reasons for a warning that are remembered

_NOTEBOOKS = types.NotebookDocumentSyncOptions(
    notebook_selector=[
        types.NotebookDocumentFilterWithCells(
            cells=[types.NotebookCellLanguage(language="python")], notebook="*"
        )
    ]
)

_log = logging.getLogger(__name__)


class Server(LanguageServer):
    """The state of one connection."""

    protocol: Protocol

    def __init__(self, overrides: Mapping[str, Any], service: CompletionService) -> None:
        """Prepares a server.

        Args:
            overrides: Settings from the command line, stronger than the client's.
            service: Not started yet.
        """
        super().__init__(
            "parrotlet",
            VERSION,
            protocol_cls=Protocol,
            notebook_document_sync=_NOTEBOOKS,
            max_workers=1,  # it reads; each thread keeps memory for the longest message
        )
        self.documents: dict[str, Document] = {}  # the latest edited last
        self.notebooks = Notebooks()
        self.configuration = Configuration(overrides)
        self.settings = Settings()
        self.service = service
        service.report = self._report_from_any_thread
        self.statistics = Statistics(None)
        self._power = Power()
        self._roots: list[Path] = []
        self._knowledge = Knowledge([], ())
        self._is_looking = False  # at other files; on a dead disk that may last
        self._offered: dict[str, Offered] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._warned: set[str] = set()
        self._loading = Loading(self)
        self._complaint: str | None = None

    @property
    def encoding(self) -> Encoding:
        """The unit of columns that was negotiated."""
        chosen = self.server_capabilities.position_encoding or types.PositionEncodingKind.Utf16
        name = chosen.value if isinstance(chosen, types.PositionEncodingKind) else str(chosen)
        return name if name in {"utf-8", "utf-32"} else "utf-16"  # type: ignore[return-value]

    def configure(self, params: types.InitializeParams) -> None:
        """Takes what the client says first; a mistake is told once and the defaults hold."""
        found = self.configuration.initialize(params.initialization_options)
        if found is not None:
            self._complaint = f"{closed(found)} Parrotlet is using its default settings."
        uris = [folder.uri for folder in params.workspace_folders or ()]
        if not uris and params.root_uri:
            uris = [params.root_uri]
        self._roots = [root for root in map(path_of, uris) if root is not None]

    def change_folders(self, event: types.WorkspaceFoldersChangeEvent) -> None:
        """Takes folders that came to the workspace, and lets go of those that left it."""
        removed = {path_of(folder.uri) for folder in event.removed}
        added = [root for folder in event.added if (root := path_of(folder.uri)) is not None]
        self._roots = [root for root in self._roots if root not in removed] + added
        self._knowledge = Knowledge(self._roots, self.settings.private_globs)

    def start_service(self) -> None:
        """Begins to load the model and tells the client what was wrong with its settings."""
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(1, "looks around"))
        if self._complaint is not None:
            self.show(types.MessageType.Warning, self._complaint)
        self._take(self.configuration.settings)
        self.service.start(self.settings)

    def reconfigure(self, section: Any) -> None:
        """Takes the client's settings while running; with a mistake in them the old ones hold."""
        found = self.configuration.change(section)
        if found is not None:
            kept = "Parrotlet did not change its settings."
            self.show(types.MessageType.Warning, f"{closed(found)} {kept}")
            return
        settings = self.configuration.settings
        if settings != self.settings:
            self._take(settings)
            self.service.change(settings)

    def _take(self, settings: Settings) -> None:
        self.settings = settings
        self.statistics = Statistics(default_folder() if settings.statistics else None)
        self._knowledge = Knowledge(self._roots, settings.private_globs)

    def open(self, uri: str, document: Document) -> None:
        """Takes an opened document."""
        self.documents[uri] = document

    def close(self, uri: str) -> None:
        """Forgets a document."""
        self.service.supersede(uri)
        self.documents.pop(uri, None)
        self._offered.pop(uri, None)

    def change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Applies a document's changes; if they take a suggestion, the next one is begun."""
        uri, version = params.text_document.uri, params.text_document.version
        document = self.documents.get(uri)
        if document is None:
            self.warn_once(uri, "ignored a change to a document that is not open")
            return
        self.service.supersede(uri)
        document.changed_s = time.monotonic()
        self.documents[uri] = self.documents.pop(uri)
        for change in params.content_changes:
            if isinstance(change, types.TextDocumentContentChangePartial):
                start, end = change.range.start, change.range.end
                edit = Edit(
                    start=(start.line, start.character),
                    end=(end.line, end.character),
                    text=change.text,
                )
                document.edit(edit, self.encoding, version)
            else:
                document.replace(change.text, version)
        offered = self._offered.pop(uri, None)
        if offered is not None and offered.text == document.text and not self._is_paused():
            self.service.submit(self._request(uri, document, Place.at(offered.offset)))

    async def suggest(
        self,
        uri: str,
        position: types.Position,
        *,
        is_asked_for: bool = False,
        selected: types.SelectedCompletionInfo | None = None,
    ) -> list[Answer]:
        """Returns what to insert and where, the best first; nothing if nothing is to be shown.

        Args:
            uri: The document's.
            position: The cursor.
            is_asked_for: The user asked, and wants alternatives too.
            selected: The item of the editor's list that is selected; what is suggested goes on
                behind it.
        """
        document = self.documents.get(uri)
        place = None if document is None else self._place_at(uri, document, position, selected)
        why_not = self._why_withheld(uri, document, place, is_asked_for=is_asked_for)
        if document is None or place is None or why_not is not None:
            self.service.withhold(why_not or OUTSIDE, is_asked_for=is_asked_for)
            return []
        version = document.version
        request = self._request(uri, document, place, is_asked_for=is_asked_for)
        ticket = self.service.submit(request, quiet_s=time.monotonic() - document.changed_s)
        try:
            result = await asyncio.shield(asyncio.wrap_future(ticket.future))
        except asyncio.CancelledError:
            self.service.cancel(ticket)
            raise
        is_same = self.documents.get(uri) is document and document.version == version
        if result is None or not result.text or not is_same:
            return []
        self._offered[uri] = Offered.of(document, place, result)
        first = self._answer(document, place, result.text, result.covered)
        others = [self._answer(document, place, o.text, o.covered) for o in result.others]
        return [dataclasses.replace(first, source=result.source), *others]

    async def health(self) -> dict[str, object]:
        """Returns what runs here and how it is, as JSON."""
        worker = await asyncio.wrap_future(self.service.health())
        return {
            "state": str(self.service.state),
            "reason": self.service.reason,
            "model": self.settings.model or "bundled",
            "documents": len(self.documents),
            "server_mib": _resident_mib(None),
            "worker_mib": _resident_mib(self.service.worker_pid),
            **worker,
        }

    def _request(
        self, uri: str, document: Document, place: Place, *, is_asked_for: bool = False
    ) -> CompletionRequest:
        """Returns what to ask the completer, and tells the service what is known elsewhere."""
        above, below = self.notebooks.around(uri, self.documents)
        text = above + document.text[: place.start] + place.chosen + document.text[place.end :]
        offset = len(above) + place.start + len(place.chosen)
        may_look = self.settings.context.workspace_tokens and not self._is_looking
        if may_look and self._knowledge.is_due(uri, text, offset):
            self._look_around(uri, text, offset)
        return CompletionRequest(
            text=text + below,
            offset=offset,
            is_asked_for=is_asked_for,
            document=uri,
            n_wanted=N_ALTERNATIVES if is_asked_for else 1,
        )

    def _look_around(self, uri: str, text: str, offset: int) -> None:
        """Has other files looked at in a thread; what is found is for requests from then on."""
        if self._loop is None:
            return
        texts = {other: self.documents[other].text for other in reversed(self.documents)}
        self._is_looking = True
        looking = self._loop.run_in_executor(None, self._knowledge.look, uri, text, offset, texts)
        looking.add_done_callback(self._looked)

    def _looked(self, looking: asyncio.Future[Known]) -> None:
        self._is_looking = False
        if looking.cancelled():
            return
        if (error := looking.exception()) is not None:
            self.warn_once("workspace", f"cannot read other files ({type(error).__name__})")
        else:
            self.service.tell(looking.result())

    def _is_paused(self) -> bool:
        """Says whether nothing is suggested now, and tells the client when that changes."""
        is_paused = self.settings.pause_on_battery and self._power.is_on_battery()
        is_off = self.service.state is State.OFF
        if is_paused != is_off and self.service.state not in {State.STARTING, State.ERROR}:
            state = State.OFF if is_paused else State.IDLE
            self.service.tell_state(state, PAUSED if is_paused else None)
        return is_paused

    def _why_withheld(
        self, uri: str, document: Document | None, place: Place | None, *, is_asked_for: bool
    ) -> str | None:
        """Returns why nothing is suggested whatever the model would write; None if it is asked."""
        if document is None:
            self.warn_once(uri, "ignored a completion request for a document that is not open")
            return NOT_OPEN
        if place is None:
            return OUTSIDE
        if is_private(uri, self.settings.private_globs):
            self.warn_once(uri, "no suggestions in a private file")
            return PRIVATE
        return ON_BATTERY if not is_asked_for and self._is_paused() else None

    def _place_at(
        self,
        uri: str,
        document: Document,
        position: types.Position,
        selected: types.SelectedCompletionInfo | None,
    ) -> Place | None:
        """Returns the place of a position; None if it is outside the text."""
        try:
            offset = document.offset_at(position.line, position.character, self.encoding)
            return self._place(document, offset, selected)
        except IndexError as error:
            self.warn_once(uri, f"ignored a completion request past the end of the text ({error})")
            return None

    def _place(
        self, document: Document, offset: int, selected: types.SelectedCompletionInfo | None
    ) -> Place:
        """Returns what is replaced before anything is suggested, and by what."""
        if selected is None:
            return Place.at(offset)
        start, end = (
            document.offset_at(at.line, at.character, self.encoding)
            for at in (selected.range.start, selected.range.end)
        )
        if not start <= offset <= end:  # it does not stand at the cursor
            return Place.at(offset)
        return Place(start=start, end=end, chosen=selected.text)

    def _answer(self, document: Document, place: Place, text: str, covered: int) -> Answer:
        ends = (place.start, place.end + covered)
        start, end = (document.position_of(at, self.encoding) for at in ends)
        return Answer(
            text=place.chosen + text,
            range=types.Range(start=types.Position(*start), end=types.Position(*end)),
            covered=document.text[ends[0] : ends[1]],
        )

    def warn_once(self, key: str, sentence: str) -> None:
        """Logs a warning, the first time that ``key`` gives reason for it."""
        if key not in self._warned:
            if len(self._warned) >= MOST_WARNED:
                self._warned.clear()
            self._warned.add(key)
            _log.warning("%s", sentence)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Answers what is no JSON; tells the client of nothing else, which is in the log."""
        if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError, RecursionError)):
            self.protocol.refuse(None, PARSE_ERROR, "the message is not valid JSON")
        elif source is not FeatureRequestError:
            _log.warning("cannot handle a message (%s)", type(error).__name__)
        _log.debug("details", exc_info=error)

    def _report_from_any_thread(self, state: State, reason: str | None) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._report, state, reason)

    def _report(self, state: State, reason: str | None) -> None:
        self.protocol.notify(STATUS_METHOD, {"state": str(state), "reason": reason})
        self._loading.tell(state, reason)
        if state is State.ERROR and reason is not None and reason not in self._warned:
            self._warned.add(reason)
            self.show(types.MessageType.Error, f"Parrotlet: {reason}")

    def show(self, kind: types.MessageType, sentence: str) -> None:
        """Shows the user a sentence."""
        self.window_show_message(types.ShowMessageParams(type=kind, message=sentence))


def _resident_mib(pid: int | None) -> float | None:
    """Returns the memory that a process holds, None if it is gone; this one's for None."""
    try:
        n_bytes = int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None
    return round(n_bytes / (1 << 20), 1)
