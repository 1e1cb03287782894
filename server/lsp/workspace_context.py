"""Reads the workspace's other files in the background, for the requests that come after.

The reading itself is :mod:`server.workspace.collector`'s; here it gets a thread of its own, since a
disk may be slow or gone.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from lsprotocol import types

from server.adaptation.adapted_models import find_model_for
from server.lsp.documents.open_documents import OpenDocuments
from server.settings import Settings
from server.suggestion.event import CompletionEvent
from server.user_folders import is_home_or_above
from server.worker.process.indexing import IndexedFolders
from server.worker.service import CompletionService
from server.workspace.collector import WorkspaceCollector
from server.workspace.private_files import is_private
from server.workspace.snapshot import WorkspaceSnapshot
from server.workspace.uris import path_of


class WorkspaceContext:
    """The workspace's folders, and what the service is given of them.

    Attributes:
        adapted_model: The artifact that suggests instead of the settings' own model; None if none
            was adapted to these folders, or it is not wanted.
    """

    def __init__(
        self,
        documents: OpenDocuments,
        service: CompletionService,
        warn_once: Callable[[str, str], None],
    ) -> None:
        self._documents = documents
        self._service = service
        self._warn_once = warn_once
        self.adapted_model: Path | None = None
        self._roots: list[Path] = []
        self._settings = Settings()
        self._collector = WorkspaceCollector([], ())
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_reading = False  # on a dead disk that may last
        self._readable: tuple[object, ...] = [], (), False  # what snapshots may be made from
        self._shared: dict[str, object] = {}  # what the worker knows of open documents

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Allows reading, by one thread of the loop's executor."""
        self._loop = loop
        loop.set_default_executor(ThreadPoolExecutor(1, "workspace reader"))

    @property
    def roots(self) -> list[Path]:
        """The workspace's folders."""
        return list(self._roots)

    def configure(self, settings: Settings) -> None:
        """Uses other settings."""
        before, self._settings = self._settings, settings
        self.adapted_model = find_model_for(self._roots, settings)
        self._service.use_workspace_model(str(self.adapted_model or ""))
        is_sent_away = bool(settings.remote.url)
        self._collector = WorkspaceCollector(
            self._roots, settings.private_globs, is_sent_away=is_sent_away
        )
        is_remembered = settings.context.workspace_memory
        roots = tuple(root for root in self._roots if is_remembered and not is_home_or_above(root))
        readable = [*self._roots], settings.private_globs, is_sent_away
        if readable != self._readable:
            self._readable = readable
            self._service.update_workspace(WorkspaceSnapshot())
            self._check_shared(before.private_globs)
        self._service.index_folders(
            IndexedFolders(roots=roots, private_globs=settings.private_globs)
        )

    def share_documents(self, uri: str) -> None:
        """Has the worker know the other open documents as they are when one is completed.

        Args:
            uri: The document that is completed.
        """
        if not self._settings.context.workspace_memory:
            return
        # The worker keeps so many; the last edited go last, so that these stay
        for other, revision in reversed(self._documents.revisions().items()):
            if other != uri and self._shared.get(other) != revision:
                self._shared[other] = revision
                document = self._documents.get(other)
                if document is not None and not is_private(other, self._settings.private_globs):
                    self._service.update_document(other, document.text)

    def _check_shared(self, globs_before: Sequence[str]) -> None:
        """Takes back documents that are private now; those that were may be shared again."""
        for uri in list(self._shared):
            if is_private(uri, self._settings.private_globs):
                self._service.update_document(uri, None)
            elif not is_private(uri, globs_before):
                continue
            del self._shared[uri]

    def close_document(self, uri: str) -> None:
        """Forgets a document's text: from now on its file counts."""
        if self._shared.pop(uri, None) is not None:
            self._service.update_document(uri, None)
        self._service.note_file_change()

    def note_file_change(self) -> None:
        """Takes note of a file that has changed on disk."""
        self._service.note_file_change()

    def add_folders(self, uris: Sequence[str]) -> None:
        """Adds folders to the workspace; takes effect with the next :meth:`configure`."""
        self._roots += [root for root in map(path_of, uris) if root is not None]

    def change_folders(self, event: types.WorkspaceFoldersChangeEvent) -> None:
        """Removes and adds folders."""
        removed = {path_of(folder.uri) for folder in event.removed}
        self._roots = [root for root in self._roots if root not in removed]
        self.add_folders([folder.uri for folder in event.added])
        self.configure(self._settings)

    def shorten_path(self, event: CompletionEvent) -> CompletionEvent:
        """Returns an event that names a file as users know it: by its path in the workspace."""
        path = Path(event.known_from or "")
        for root in self._roots:
            if event.known_from and path.is_relative_to(root):
                return replace(event, known_from=path.relative_to(root).as_posix())
        return event

    def refresh(self, uri: str, text: str, offset: int) -> None:
        """Starts reading, if the cursor has moved on since the last time, or time has passed.

        Args:
            uri: The document that is completed.
            text: Its text.
            offset: The cursor.
        """
        if self._is_reading or not self._settings.context.workspace_tokens:
            return
        if not self._collector.is_due(uri, text, offset) or self._loop is None:
            return
        self._is_reading = True
        collector, texts = self._collector, self._documents.texts()
        reading = self._loop.run_in_executor(None, collector.collect, uri, text, offset, texts)
        reading.add_done_callback(partial(self._on_read, collector))

    def _on_read(
        self, collector: WorkspaceCollector, reading: "asyncio.Future[WorkspaceSnapshot]"
    ) -> None:
        self._is_reading = False
        if reading.cancelled() or collector is not self._collector:  # what it read may be private
            return
        if (error := reading.exception()) is not None:
            self._warn_once("workspace", f"cannot read other files ({type(error).__name__})")
        else:
            self._service.update_workspace(reading.result())
