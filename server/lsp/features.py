"""What is registered with the protocol: each method and command of a client, and its handler."""

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from server.lsp.adaptation.adaptation_commands import add_adaptation_commands
from server.lsp.configuration import SECTION
from server.lsp.documents.document_changes import MAX_POSITION, get_field, read_place
from server.lsp.health import check_health
from server.lsp.insertion import SuggestedEdit
from server.lsp.server import Server
from server.suggestion.explanation import Explanation
from server.usage_statistics import ACCEPTED_PARTS, read_summary
from server.user_folders import find_data_folder
from server.worker.service import CompletionService

DID_MOVE_CURSOR_METHOD = "parrotlet/didMoveCursor"  # {textDocument, position}
DID_SHOW_METHOD = "parrotlet/didShow"  # {characters, ms}
DID_ACCEPT_METHOD = "parrotlet/didAccept"  # {characters, how: whole, word or line}
DID_REJECT_METHOD = "parrotlet/didReject"  # {}
STATISTICS_COMMAND = "parrotlet.statistics"  # what was shown and accepted, on this machine
EXPLAIN_COMMAND = "parrotlet.explain"  # how the last request ended, and why: {uri, position}
HEALTH_COMMAND = "parrotlet.health"  # what runs here, and how it is
RESTART_COMMAND = "parrotlet.restart"  # loads the model again
SOURCE_COMMAND = "parrotlet.source"  # run when a suggestion with attribution is accepted
DETAIL = "Parrotlet"

_WATCHED = ("**/*.py", "**/*.pyi")

_MAX_REPORTED = 1e6  # of any figure that a client reports
_MAX_LOGGED_CHARS = 200

_log = logging.getLogger(__name__)


def create_server(overrides: Mapping[str, str | None], service: CompletionService) -> Server:
    """Returns a server with its handlers; see :class:`Server` for the arguments."""
    server = Server(overrides, service)

    @server.feature(types.INITIALIZE)
    def _initialize(params: types.InitializeParams) -> None:
        text = params.capabilities.text_document
        if text is None or text.inline_completion is None:
            _add_plain_completion(server)  # an editor that knows both would ask twice

    @server.feature(types.INITIALIZED)
    async def _on_initialized(_: types.InitializedParams) -> None:
        server.start()
        await _request_configuration(server)
        await _watch_files(server)

    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    async def _inline(params: types.InlineCompletionParams) -> types.InlineCompletionList:
        edits = await server.inline_completion.suggest(
            params.text_document.uri,
            params.position,
            is_asked_for=params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked,
            selected=params.context.selected_completion_info,
        )
        return types.InlineCompletionList(items=[_inline_item(edit) for edit in edits])

    _add_cursor_notification(server)
    _add_workspace_notifications(server)
    _add_usage_notifications(server)
    _add_commands(server)
    add_adaptation_commands(server)
    return server


def _add_plain_completion(server: Server) -> None:
    options = types.CompletionOptions(trigger_characters=[".", "(", " "])

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, options)
    async def _completion(params: types.CompletionParams) -> types.CompletionList:
        edits = await server.inline_completion.suggest(params.text_document.uri, params.position)
        items = [_completion_item(edit) for edit in edits]
        return types.CompletionList(is_incomplete=True, items=items)


def _add_cursor_notification(server: Server) -> None:
    @server.feature(DID_MOVE_CURSOR_METHOD)
    def _did_move_cursor(params: Any) -> None:
        uri, place = read_place(params)
        if uri is not None and place is not None:
            line, character = (min(number, MAX_POSITION) for number in place)
            position = types.Position(line=line, character=character)
            server.inline_completion.move_cursor(uri, position)


def _add_workspace_notifications(server: Server) -> None:
    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def _did_change_watched_files(_: Any) -> None:
        server.workspace_context.note_file_change()

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def _did_save(_: Any) -> None:
        server.workspace_context.note_file_change()

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def _did_change_configuration(params: Any) -> None:
        if not await _request_configuration(server):
            settings = get_field(params, "settings")
            if isinstance(settings, dict) and SECTION in settings:  # others' are not about us
                server.reconfigure(settings[SECTION])


def _add_usage_notifications(server: Server) -> None:
    @server.feature(DID_SHOW_METHOD)
    def _did_show(params: Any) -> None:
        n_chars, ms = _figure(params, "characters"), _figure(params, "ms")
        server.statistics.record_shown(n_chars=int(n_chars), ms=ms)

    @server.feature(DID_ACCEPT_METHOD)
    def _did_accept(params: Any) -> None:
        part = get_field(params, "how")
        if part in ACCEPTED_PARTS:
            n_chars = int(_figure(params, "characters"))
            server.statistics.record_accepted(n_chars=n_chars, part=part)

    @server.feature(DID_REJECT_METHOD)
    def _did_reject(_: Any) -> None:
        server.statistics.record_rejected()


def _add_commands(server: Server) -> None:
    @server.command(EXPLAIN_COMMAND)
    def _explain(*arguments: Any) -> dict[str, object] | None:
        event = server.inline_completion.explain(*read_place(arguments[0] if arguments else None))
        if event is None:
            return None
        event = server.workspace_context.shorten_path(event)
        return {**event.to_json(), **dataclasses.asdict(Explanation.of(event))}

    @server.command(HEALTH_COMMAND)
    async def _health(*_: Any) -> dict[str, object]:
        return (await check_health(server)).to_json()

    @server.command(STATISTICS_COMMAND)
    def _statistics(*_: Any) -> dict[str, object]:
        summary = read_summary(find_data_folder())
        return {**summary.to_json(), "report": summary.rows()}

    @server.command(SOURCE_COMMAND)
    def _log_source(*arguments: Any) -> None:
        given = arguments[0] if arguments else None
        source = given[0] if isinstance(given, list) and given else given
        if isinstance(source, dict):
            words = [
                str(source.get(key, ""))[:_MAX_LOGGED_CHARS]
                for key in ("package", "path", "licence")
            ]
            _log.info("accepted a suggestion that repeats %s, %s (%s)", *words)

    @server.command(RESTART_COMMAND)
    def _restart(*_: Any) -> None:
        server.service.restart()


async def _request_configuration(server: Server) -> bool:
    """Asks the client for its settings; returns false if it does not answer such requests."""
    workspace = server.client_capabilities.workspace
    if workspace is None or not workspace.configuration:
        return False
    items = [types.ConfigurationItem(section=SECTION)]
    try:
        found = await server.workspace_configuration_async(types.ConfigurationParams(items=items))
    except JsonRpcException as error:
        _log.info("the editor does not tell its settings (%s)", error.code)
        return False
    server.reconfigure(found[0] if isinstance(found, list) and found else None)
    return True


async def _watch_files(server: Server) -> None:
    """Asks the client to tell which Python files change; not every client can."""
    workspace = server.client_capabilities.workspace
    watching = None if workspace is None else workspace.did_change_watched_files
    if watching is None or not watching.dynamic_registration:
        return
    watchers = [types.FileSystemWatcher(glob_pattern=glob) for glob in _WATCHED]
    registration = types.Registration(
        id="parrotlet.files",
        method=types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
        register_options=types.DidChangeWatchedFilesRegistrationOptions(watchers=watchers),
    )
    try:
        await server.client_register_capability_async(
            types.RegistrationParams(registrations=[registration])
        )
    except JsonRpcException as error:
        _log.info("the editor does not watch files (%s)", error.code)


def _figure(params: Any, name: str) -> float:
    """Returns a figure that a client reports, within bounds; 0 for what is not a number."""
    value = get_field(params, name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.0
    return float(min(max(value, 0), _MAX_REPORTED))


def _inline_item(edit: SuggestedEdit) -> types.InlineCompletionItem:
    command = None
    if edit.source is not None:  # the protocol has no other place for it; run on acceptance
        command = types.Command(
            title=edit.source.sentence,
            command=SOURCE_COMMAND,
            arguments=[dataclasses.asdict(edit.source)],
        )
    return types.InlineCompletionItem(insert_text=edit.text, range=edit.range, command=command)


def _completion_item(edit: SuggestedEdit) -> types.CompletionItem:
    """Returns an item that begins with the word before the cursor, since editors compare them."""
    first_line = edit.text.partition("\n")[0].rstrip()
    whole_line = edit.word + first_line
    edited = types.Range(start=edit.word_start, end=edit.range.end)
    return types.CompletionItem(
        label=whole_line.strip() if first_line else edit.text.strip().partition("\n")[0],
        detail=DETAIL,
        kind=types.CompletionItemKind.Text,
        text_edit=types.TextEdit(range=edited, new_text=edit.word + edit.text),
        filter_text=whole_line,  # which also matches what is typed on as suggested
        documentation=None if edit.source is None else edit.source.sentence,
    )
