"""What is registered with the protocol: each method of a client, and what answers it."""

import dataclasses
import logging
from typing import Any

from lsprotocol import types

from server import VERSION
from server.health_report import health_rows
from server.lsp.configuration import SECTION
from server.lsp.insertion import Answer
from server.lsp.server import Server
from server.usage_statistics import HOWS, default_folder, statistics_rows, summary
from server.worker.service import CompletionService

DID_SHOW_METHOD = "parrotlet/didShow"  # {characters, ms}
DID_ACCEPT_METHOD = "parrotlet/didAccept"  # {characters, how: whole, word or line}
DID_REJECT_METHOD = "parrotlet/didReject"  # {}
STATISTICS_COMMAND = "parrotlet.statistics"  # what was shown and taken, on this machine
EXPLAIN_COMMAND = "parrotlet.explain"  # how the last request ended, and why
HEALTH_COMMAND = "parrotlet.health"  # what runs here, and how it is
RESTART_COMMAND = "parrotlet.restart"  # loads the model anew
SOURCE_COMMAND = "parrotlet.source"  # told when a suggestion is taken that repeats somebody's
DETAIL = "Parrotlet"

_MOST_TOLD = 1e6

_log = logging.getLogger(__name__)


def create_server(overrides: dict[str, Any], service: CompletionService) -> Server:
    """Returns a server with its handlers; see :class:`Server` for what it takes."""
    server = Server(overrides, service)

    @server.feature(types.INITIALIZE)
    def _initialize(params: types.InitializeParams) -> None:
        server.configure(params)
        text = params.capabilities.text_document
        if text is None or text.inline_completion is None:
            _add_plain_completion(server)  # an editor that knows both would ask twice

    @server.feature(types.INITIALIZED)
    async def _initialized(_: types.InitializedParams) -> None:
        server.start_service()
        await _ask_configuration(server)

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

    _add_settings(server)
    _add_what_editors_tell(server)
    _add_commands(server)
    return server


def _add_settings(server: Server) -> None:
    """Registers what tells that settings have changed."""

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def _changed(params: types.DidChangeConfigurationParams) -> None:
        if not await _ask_configuration(server):
            settings = params.settings
            section = getattr(settings, SECTION, None)
            if isinstance(settings, dict):
                section = settings.get(SECTION)
            server.reconfigure(_plain(section))


async def _ask_configuration(server: Server) -> bool:
    """Asks the client for its settings; says whether it is one that can be asked."""
    workspace = server.client_capabilities.workspace
    if workspace is None or not workspace.configuration:
        return False
    items = [types.ConfigurationItem(section=SECTION)]
    found = await server.workspace_configuration_async(types.ConfigurationParams(items=items))
    server.reconfigure(_plain(found[0]) if found else None)
    return True


def _plain(value: Any) -> Any:
    """Returns pygls' objects of unknown shape as plain data; what is null is left out."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _add_what_editors_tell(server: Server) -> None:
    """Registers what clients tell of the workspace and of suggestions."""

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def _changed_folders(params: types.DidChangeWorkspaceFoldersParams) -> None:
        server.change_folders(params.event)

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


def _add_commands(server: Server) -> None:
    """Registers what a user asks for by name."""

    @server.command(EXPLAIN_COMMAND)
    def _explain(*_: Any) -> dict[str, object] | None:
        return server.service.explain()

    @server.command(HEALTH_COMMAND)
    async def _health(*_: Any) -> dict[str, object]:
        facts = {"version": VERSION, **await server.health()}
        return {**facts, "report": health_rows(facts)}

    @server.command(STATISTICS_COMMAND)
    def _statistics(*_: Any) -> dict[str, Any]:
        figures = summary(default_folder())
        return {**figures, "report": statistics_rows(figures)}

    @server.command(SOURCE_COMMAND)
    def _took_from_source(*arguments: Any) -> None:
        told = _plain(arguments[0]) if arguments else None
        source = told[0] if isinstance(told, list) and told else told
        if isinstance(source, dict):
            words = [str(source.get(key, ""))[:200] for key in ("package", "path", "licence")]
            _log.info("accepted a suggestion that repeats %s, %s (%s)", *words)

    @server.command(RESTART_COMMAND)
    def _restart(*_: Any) -> None:
        server.service.restart()


def _number(params: Any, name: str) -> float:
    """Returns a number of what a client tells; 0 for whatever is none."""
    value = getattr(params, name, 0)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return min(max(float(value), 0.0), _MOST_TOLD) if is_number else 0.0


def _inline_item(answer: Answer) -> types.InlineCompletionItem:
    command = None
    if answer.source is not None:  # the protocol's only place for it; run when the item is taken
        told = dataclasses.asdict(answer.source)
        command = types.Command(
            title=answer.source.sentence, command=SOURCE_COMMAND, arguments=[told]
        )
    return types.InlineCompletionItem(insert_text=answer.text, range=answer.range, command=command)


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
        documentation=None if answer.source is None else answer.source.sentence,
    )
