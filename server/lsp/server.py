"""One client's connection: its documents, its settings, and the service that completes.

The server only joins the parts, each of which has a file of its own; ``features`` registers what
they do for the client.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from lsprotocol import types
from pygls.exceptions import FeatureRequestError, JsonRpcException
from pygls.lsp.server import LanguageServer

from server import VERSION
from server.lsp.adaptation.adaptation_watch import AdaptationWatch
from server.lsp.configuration import Configuration
from server.lsp.connection.client_process import wait_until_gone
from server.lsp.connection.framing import Skipped
from server.lsp.connection.json_rpc import PARSE_ERROR
from server.lsp.connection.message_loop import MessageLoop, MessageWriter
from server.lsp.documents.document_changes import get_field
from server.lsp.documents.open_documents import OpenDocuments
from server.lsp.inline_completion import InlineCompletion
from server.lsp.protocol import Protocol
from server.lsp.status_reporter import StatusReporter
from server.lsp.workspace_context import WorkspaceContext
from server.suggestion.explanation import end_sentence
from server.usage_statistics import UsageStatistics
from server.user_folders import find_data_folder
from server.worker.service import CompletionService
from server.workspace.uris import file_name
from training.foundation.privacy.path_globs import find_glob_fault

_MAX_WARNED = 1000  # keys of warnings that are remembered

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

    def __init__(self, overrides: Mapping[str, str | None], service: CompletionService) -> None:
        """Prepares a server.

        Args:
            overrides: Settings from the command line, which override the client's.
            service: Not started yet.
        """
        super().__init__(
            "parrotlet",
            VERSION,
            protocol_cls=Protocol,
            notebook_document_sync=_NOTEBOOKS,
            max_workers=1,  # it reads; each thread keeps memory for the longest message
        )
        self.service = service
        self.configuration = Configuration(overrides)
        self.documents = OpenDocuments(self.warn_once, self._tell_lost)
        self.workspace_context = WorkspaceContext(self.documents, service, self.warn_once)
        self.inline_completion = InlineCompletion(
            documents=self.documents,
            workspace=self.workspace_context,
            configuration=self.configuration,
            service=service,
            warn_once=self.warn_once,
        )
        self.statistics = UsageStatistics(None)
        self.adaptation_watch = AdaptationWatch(self)
        self._status_reporter = StatusReporter(self, service.status)
        self._warned: set[str] = set()
        self._complaint: str | None = None  # about the first settings
        self._told_lost: set[str] = set()  # URIs
        self._checked_globs: tuple[str, ...] = ()
        self._client_pid: int | None = None
        self._watch: asyncio.Task[None] | None = None
        self._messages: MessageLoop | None = None

    def serve(self, descriptor: int, stdout: BinaryIO) -> None:
        """Serves a client until it leaves.

        Args:
            descriptor: Where its messages are read.
            stdout: Where it reads ours.
        """
        self.protocol.set_writer(MessageWriter(stdout, self._stop))
        try:
            asyncio.run(self._serve(descriptor))
        finally:
            self.shutdown()  # type: ignore[no-untyped-call]

    async def _serve(self, descriptor: int) -> None:
        self._messages = MessageLoop(descriptor)
        async for message in self._messages.messages():
            self.handle(message)
            if self.protocol.has_exited:
                return
            await asyncio.sleep(0)  # a request begins before the next message changes its text

    def handle(self, message: bytes | Skipped) -> None:
        """Handles one message, or what is none."""
        if isinstance(message, Skipped):
            if message.is_first:
                self.warn_once("frame", "skipped what is not a message")
                self.protocol.refuse(None, PARSE_ERROR, "a message needs a valid Content-Length")
            self.documents.distrust(message.data)
            return
        try:
            is_message = self.protocol.receive(message)
        except Exception as error:  # noqa: BLE001 - one message never ends the session
            self.report_server_error(error, JsonRpcException)
            is_message = False
        if not is_message:
            self.documents.distrust(message)

    def configure(self, params: types.InitializeParams) -> None:
        """Applies the client's first settings; a wrong one keeps its default."""
        ours = get_field(params.capabilities.experimental, "parrotlet")
        complaint = self.configuration.initialize(
            params.initialization_options, sends_all=get_field(ours, "sendsAllSettings") is True
        )
        if complaint is not None:
            self._complaint = f"{end_sentence(complaint)} Parrotlet uses the default instead."
        uris = [folder.uri for folder in params.workspace_folders or ()]
        if not uris and params.root_uri:
            uris = [params.root_uri]
        self.workspace_context.add_folders(uris)
        self._client_pid = params.process_id

    def start(self) -> None:
        """Starts loading the model, and reports what was wrong with the first settings."""
        loop = asyncio.get_running_loop()
        self._status_reporter.start(loop)
        self.workspace_context.start(loop)
        if self._client_pid is not None and self._watch is None:
            self._watch = loop.create_task(self._leave_with(self._client_pid))
        if self._complaint is not None:
            self.show(types.MessageType.Warning, self._complaint)
        self._apply_settings()
        self.service.start(self.configuration.settings)
        self.adaptation_watch.start(loop)

    def reconfigure(self, section: Any) -> None:
        """Applies the client's settings; a wrong one keeps its previous value."""
        before = self.configuration.settings
        complaint = self.configuration.change(section)
        if complaint is not None:
            kept = "Parrotlet did not change this setting."
            self.show(types.MessageType.Warning, f"{end_sentence(complaint)} {kept}")
        if self.configuration.settings != before:
            self._apply_settings()
            self.service.change_settings(self.configuration.settings)

    def warn_once(self, key: str, sentence: str) -> None:
        """Logs a warning, unless there was one for the same key."""
        if key not in self._warned:
            if len(self._warned) >= _MAX_WARNED:
                self._warned.clear()
            self._warned.add(key)
            _log.warning("%s", sentence)

    def describe_model(self) -> str:
        """Returns the model in use in a few words, as after "Model:"."""
        settings = self.configuration.settings
        if settings.remote.url:
            return f"remote server {settings.remote.url}"
        base = settings.model or "bundled"
        if self.service.uses_workspace_model:
            return f"{base}, adapted to this workspace"
        if self.adaptation_watch.runs.withheld:
            return f"{base}, not adapted while several projects are open"
        return base

    def report_status(self) -> None:
        """Tells the client again what the service is doing, and with which model."""
        self._status_reporter.report_again()

    def show(self, kind: types.MessageType, sentence: str) -> None:
        """Shows the user a sentence."""
        self.window_show_message(types.ShowMessageParams(type=kind, message=sentence))

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Logs an error; the client is not bothered."""
        if source is not FeatureRequestError:
            _log.warning("cannot handle a message (%s)", type(error).__name__)
        _log.debug("details", exc_info=error)

    async def _leave_with(self, pid: int) -> None:
        """Ends the session once the client's process is gone."""
        await wait_until_gone(pid)
        _log.warning("the editor's process %d is gone: the server ends", pid)
        self._stop()

    def _stop(self) -> None:
        if self._messages is not None:
            self._messages.stop()

    def _tell_lost(self, uris: Sequence[str]) -> None:
        """Tells the user that the text of some documents is not known any more."""
        if self._told_lost.issuperset(uris):
            return
        self._told_lost |= set(uris[:_MAX_WARNED])
        others = f" and {len(uris) - 1} more" if len(uris) > 1 else ""
        self.show(
            types.MessageType.Warning,
            f"The editor sent Parrotlet an invalid change of '{file_name(uris[0])}'{others}, whose"
            " text is unknown now. Close and reopen the file to get suggestions again.",
        )

    def _apply_settings(self) -> None:
        settings = self.configuration.settings
        self.statistics = UsageStatistics(find_data_folder() if settings.statistics else None)
        self.workspace_context.configure(settings)
        self._check_globs(settings.private_globs)

    def _check_globs(self, globs: tuple[str, ...]) -> None:
        """Tells the user of a pattern of private files that keeps none private; others apply."""
        fault = find_glob_fault(globs) if globs != self._checked_globs else None
        self._checked_globs = globs
        if fault is not None:
            sentence = end_sentence(f"the configuration: private_globs: {fault}")
            self.show(types.MessageType.Warning, f"{sentence} Until then it keeps nothing private.")
