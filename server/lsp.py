"""The Language Server Protocol: the only module, with ``__main__``, that knows pygls and LSP types.

Handlers are coroutines; the model runs in the service's thread, never in pygls' pool (which reads
stdin) and never on the event loop. Documents are our own (pygls' split lines at form feeds too) and
positions are converted here and nowhere else. Every request gets an answer: what cannot be served
is an empty list, what cannot be understood an InvalidParams error, never a traceback. stdout
belongs to the protocol, and users' text is logged at DEBUG only.
"""

import asyncio
import dataclasses
import json
import logging
from collections.abc import Mapping
from typing import Any

from lsprotocol import types
from pygls.exceptions import FeatureRequestError, JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method

from server import VERSION
from server.acceptance import HOWS, Statistics, default_folder
from server.document import Document, Edit, Encoding
from server.privacy import is_private
from server.request import CompletionRequest
from server.service import CompletionService, State
from server.settings import Settings
from training.artifact.errors import ConfigError
from training.artifact.schema import from_mapping, to_mapping

STATUS_METHOD = "parrotlet/status"
DID_SHOW_METHOD = "parrotlet/didShow"  # {characters, ms}
DID_ACCEPT_METHOD = "parrotlet/didAccept"  # {characters, how: whole, word or line}
DID_REJECT_METHOD = "parrotlet/didReject"  # {}
EXPLAIN_COMMAND = "parrotlet.explain"  # how the last request ended, and why
DETAIL = "Parrotlet"
N_ALTERNATIVES = 3  # for a user who asks

_MOST_TOLD = 1e6
_PARSE_ERROR, _INVALID_REQUEST, _INVALID_PARAMS = -32700, -32600, -32602

_log = logging.getLogger(__name__)


class Protocol(LanguageServerProtocol):
    """pygls' protocol with our documents, and with an answer to malformed messages."""

    _server: "Server"

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Turns JSON into a message; answers what cannot be turned and returns None for it."""
        try:
            return super().structure_message(data)
        except JsonRpcException:
            method = str(data.get("method", "a message"))[:80]
            if "id" in data and "method" in data:
                self.refuse(
                    data["id"], _INVALID_PARAMS, f"the parameters of {method} are malformed"
                )
            self._server.warn_once(method, f"ignored {method} with malformed parameters")
            return None

    def handle_message(self, message: Any) -> None:
        """Passes a message on, unless it has been answered already or is none."""
        if hasattr(message, "jsonrpc"):
            super().handle_message(message)
        elif message is not None:
            self.refuse(None, _INVALID_REQUEST, "a message must be an object with 'jsonrpc'")

    def refuse(self, msg_id: Any, code: int, sentence: str) -> None:
        """Answers with an error."""
        known_id = msg_id if isinstance(msg_id, (int, str)) else None
        error = types.ResponseError(code=code, message=sentence)
        self._send_data(types.ResponseErrorMessage(id=known_id, error=error))

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        """Takes an opened document."""
        item = params.text_document
        self._server.documents[item.uri] = Document(item.text, item.version)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Applies changes in order; an answer under way for the old text is called off."""
        self._server.change(params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Forgets a document."""
        self._server.service.supersede(params.text_document.uri)
        self._server.documents.pop(params.text_document.uri, None)

    @property
    def exit_code(self) -> int:
        """0 if the client said goodbye before it left, else 1, as the protocol demands."""
        return 0 if self._shutdown else 1


class Server(LanguageServer):
    """One client's server: its documents, its settings, and the service that completes."""

    protocol: Protocol

    def __init__(self, overrides: Mapping[str, Any]) -> None:
        """Prepares a server.

        Args:
            overrides: Settings from the command line, stronger than the client's.
        """
        super().__init__("parrotlet", VERSION, protocol_cls=Protocol)
        self.documents: dict[str, Document] = {}
        self.settings = Settings()
        self.service = CompletionService(self._report_from_any_thread)
        self.statistics = Statistics(None)
        self._overrides = overrides
        self._loop: asyncio.AbstractEventLoop | None = None
        self._warned: set[str] = set()
        self._complaint: str | None = None

    @property
    def encoding(self) -> Encoding:
        """The unit of columns that was negotiated."""
        chosen = self.server_capabilities.position_encoding or types.PositionEncodingKind.Utf16
        name = chosen.value if isinstance(chosen, types.PositionEncodingKind) else str(chosen)
        return name if name in {"utf-8", "utf-32"} else "utf-16"  # type: ignore[return-value]

    def configure(self, options: Any) -> None:
        """Takes the client's settings; a mistake in them is told once and the defaults hold."""
        base = to_mapping(Settings())
        try:
            given = from_mapping(Settings, options or {}, where="initializationOptions")
        except (ConfigError, TypeError, AttributeError) as error:
            is_ours = isinstance(error, ConfigError)
            found = str(error) if is_ours else "initializationOptions is not an object of settings"
            self._complaint = f"Parrotlet uses its default settings: {found}"
        else:
            base = to_mapping(given)
        merged = base | {key: value for key, value in self._overrides.items() if value is not None}
        self.settings = from_mapping(Settings, merged, where="the command line")

    def start_service(self) -> None:
        """Begins to load the model and tells the client what was wrong with its settings."""
        self._loop = asyncio.get_running_loop()
        if self._complaint is not None:
            self._show(types.MessageType.Warning, self._complaint)
        self.statistics = Statistics(default_folder() if self.settings.statistics else None)
        self.service.start(self.settings)

    def change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Applies a document's changes."""
        uri, version = params.text_document.uri, params.text_document.version
        document = self.documents.get(uri)
        if document is None:
            self.warn_once(uri, "ignored a change to a document that is not open")
            return
        self.service.supersede(uri)
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

    async def suggest(
        self,
        uri: str,
        position: types.Position,
        *,
        is_asked_for: bool = False,
        selected: types.SelectedCompletionInfo | None = None,
    ) -> "list[Answer]":
        """Returns what to insert and where, the best first; nothing if nothing is to be shown.

        Args:
            uri: The document's.
            position: The cursor.
            is_asked_for: The user asked, and wants alternatives too.
            selected: The item of the editor's list that is selected; what is suggested goes on
                behind it.
        """
        document = self.documents.get(uri)
        if document is None:
            self.warn_once(uri, "a completion was asked in a document that is not open")
            return []
        try:
            offset = document.offset_at(position.line, position.character, self.encoding)
            place = self._place(document, offset, selected)
        except IndexError as error:
            self.warn_once(uri, f"a completion was asked past the end of the text ({error})")
            return []
        if is_private(uri, self.settings.private_globs):
            self.warn_once(uri, "left a file of secrets alone")
            return []
        version = document.version
        request = CompletionRequest(
            text=document.text[: place.start] + place.chosen + document.text[place.end :],
            offset=place.start + len(place.chosen),
            is_asked_for=is_asked_for,
            document=uri,
            n_wanted=N_ALTERNATIVES if is_asked_for else 1,
        )
        ticket = self.service.submit(request)
        try:
            result = await asyncio.wrap_future(ticket.future)
        except asyncio.CancelledError:
            ticket.stop.set()
            raise
        if result is None or not result.text or document.version != version:
            return []
        suggestions = [(result.text, result.covered)]
        suggestions += [(other.text, other.covered) for other in result.others]
        return [self._answer(document, place, *suggestion) for suggestion in suggestions]

    def _place(
        self, document: Document, offset: int, selected: types.SelectedCompletionInfo | None
    ) -> "_Place":
        """Returns what is replaced before anything is suggested, and by what."""
        if selected is None:
            return _Place(start=offset, end=offset, chosen="")
        start, end = (
            document.offset_at(at.line, at.character, self.encoding)
            for at in (selected.range.start, selected.range.end)
        )
        if not start <= offset <= end:  # it does not stand at the cursor
            return _Place(start=offset, end=offset, chosen="")
        return _Place(start=start, end=end, chosen=selected.text)

    def _answer(self, document: Document, place: "_Place", text: str, covered: int) -> "Answer":
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
            self._warned.add(key)
            _log.warning("%s", sentence)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Answers what is no JSON; tells the client of nothing else, which is in the log."""
        if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError, RecursionError)):
            self.protocol.refuse(None, _PARSE_ERROR, "the message is not JSON")
        elif source is not FeatureRequestError:
            _log.warning("a message could not be handled (%s)", type(error).__name__)
        _log.debug("details", exc_info=error)

    def _report_from_any_thread(self, state: State, reason: str | None) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._report, state, reason)

    def _report(self, state: State, reason: str | None) -> None:
        self.protocol.notify(STATUS_METHOD, {"state": str(state), "reason": reason})
        if state is State.ERROR and reason is not None and reason not in self._warned:
            self._warned.add(reason)
            self._show(types.MessageType.Error, f"Parrotlet: {reason}")

    def _show(self, kind: types.MessageType, sentence: str) -> None:
        self.window_show_message(types.ShowMessageParams(type=kind, message=sentence))


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Place:
    """A range of a document, in characters, and the text that stands for it."""

    start: int
    end: int
    chosen: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """A suggestion in the protocol's terms; ``covered`` is the text that ``range`` replaces."""

    text: str
    range: types.Range
    covered: str


def create_server(overrides: Mapping[str, Any]) -> Server:
    """Returns a server with its handlers; see :class:`Server` for ``overrides``."""
    server = Server(overrides)

    @server.feature(types.INITIALIZE)
    def _initialize(params: types.InitializeParams) -> None:
        server.configure(params.initialization_options)
        text = params.capabilities.text_document
        if text is None or text.inline_completion is None:
            _add_plain_completion(server)  # an editor that knows both would ask twice

    @server.feature(types.INITIALIZED)
    async def _initialized(_: types.InitializedParams) -> None:
        server.start_service()

    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    async def _inline(params: types.InlineCompletionParams) -> types.InlineCompletionList:
        kind = params.context.trigger_kind
        is_asked_for = kind is types.InlineCompletionTriggerKind.Invoked
        answers = await server.suggest(
            params.text_document.uri,
            params.position,
            is_asked_for=is_asked_for,
            selected=params.context.selected_completion_info,
        )
        return types.InlineCompletionList(items=[_inline_item(answer) for answer in answers])

    _add_what_editors_tell(server)
    return server


def _add_what_editors_tell(server: Server) -> None:
    """Registers what clients tell of suggestions, and the question why there is none."""

    @server.feature(DID_SHOW_METHOD)
    def _did_show(params: Any) -> None:
        n_chars, ms = _number(params, "characters"), _number(params, "ms")
        server.statistics.shown(n_chars=int(n_chars), ms=ms)

    @server.feature(DID_ACCEPT_METHOD)
    def _did_accept(params: Any) -> None:
        how = getattr(params, "how", None)
        if how in HOWS:
            server.statistics.accepted(n_chars=int(_number(params, "characters")), how=how)

    @server.feature(DID_REJECT_METHOD)
    def _did_reject(_: Any) -> None:
        server.statistics.rejected()

    @server.command(EXPLAIN_COMMAND)
    def _explain(*_: Any) -> dict[str, object] | None:
        return server.service.explain()


def _number(params: Any, name: str) -> float:
    """Returns a number of what a client tells; 0 for whatever is none."""
    value = getattr(params, name, 0)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return min(max(float(value), 0.0), _MOST_TOLD) if is_number else 0.0


def _inline_item(answer: Answer) -> types.InlineCompletionItem:
    return types.InlineCompletionItem(insert_text=answer.text, range=answer.range)


def _add_plain_completion(server: Server) -> None:
    options = types.CompletionOptions(trigger_characters=[".", "(", " "])

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, options)
    async def _completion(params: types.CompletionParams) -> types.CompletionList:
        answers = await server.suggest(params.text_document.uri, params.position)
        items = [_completion_item(answer) for answer in answers]
        return types.CompletionList(is_incomplete=True, items=items)


def _completion_item(answer: Answer) -> types.CompletionItem:
    return types.CompletionItem(
        label=answer.text.strip().partition("\n")[0],
        detail=DETAIL,
        kind=types.CompletionItemKind.Text,
        text_edit=types.TextEdit(range=answer.range, new_text=answer.text),
        filter_text=answer.covered,  # what stands in the range matches by itself
    )
