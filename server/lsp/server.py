"""One client's connection: its documents, its settings, and the service that completes.

The server only joins the parts, each of which has a file of its own; ``features`` registers what
they do for the client.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

from lsprotocol import types
from pygls.exceptions import FeatureRequestError
from pygls.lsp.server import LanguageServer

from server import VERSION
from server.lsp.configuration import Configuration
from server.lsp.documents.open_documents import OpenDocuments
from server.lsp.inline_completion import InlineCompletion
from server.lsp.protocol import PARSE_ERROR, Protocol
from server.lsp.status_reporter import StatusReporter
from server.lsp.workspace_context import WorkspaceContext
from server.suggestion.explanation import end_sentence
from server.usage_statistics import UsageStatistics, default_folder
from server.worker.service import CompletionService

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
        self.documents = OpenDocuments(self.warn_once)
        self.workspace_context = WorkspaceContext(self.documents, service, self.warn_once)
        self.inline_completion = InlineCompletion(
            documents=self.documents,
            workspace=self.workspace_context,
            configuration=self.configuration,
            service=service,
            warn_once=self.warn_once,
        )
        self.statistics = UsageStatistics(None)
        self._status_reporter = StatusReporter(self, service.status)
        self._warned: set[str] = set()
        self._complaint: str | None = None  # about the first settings

    def configure(self, params: types.InitializeParams) -> None:
        """Applies the client's first settings; a wrong one keeps its default."""
        complaint = self.configuration.initialize(params.initialization_options)
        if complaint is not None:
            self._complaint = f"{end_sentence(complaint)} Parrotlet uses the default instead."
        uris = [folder.uri for folder in params.workspace_folders or ()]
        if not uris and params.root_uri:
            uris = [params.root_uri]
        self.workspace_context.add_folders(uris)

    def start(self) -> None:
        """Starts loading the model, and reports what was wrong with the first settings."""
        loop = asyncio.get_running_loop()
        self._status_reporter.start(loop)
        self.workspace_context.start(loop)
        if self._complaint is not None:
            self.show(types.MessageType.Warning, self._complaint)
        self._apply_settings()
        self.service.start(self.configuration.settings)

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

    def show(self, kind: types.MessageType, sentence: str) -> None:
        """Shows the user a sentence."""
        self.window_show_message(types.ShowMessageParams(type=kind, message=sentence))

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Answers what is not JSON; other errors are logged, and the client is not bothered."""
        if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError, RecursionError)):
            self.protocol.refuse(None, PARSE_ERROR, "the message is not valid JSON")
        elif source is not FeatureRequestError:
            _log.warning("cannot handle a message (%s)", type(error).__name__)
        _log.debug("details", exc_info=error)

    def _apply_settings(self) -> None:
        settings = self.configuration.settings
        self.statistics = UsageStatistics(default_folder() if settings.statistics else None)
        self.workspace_context.configure(settings)
