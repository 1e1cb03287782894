"""The memory of a workspace: its indexed files, and the open documents as they are now.

The document that is completed does not count: the model sees it, and its own lines would be
suggested again. Of an open document its text counts instead of its file.
"""

import time
from pathlib import Path

from server.memory.token_memory import MemoryPart, TokenMemory
from server.workspace.memory_info import MemoryInfo
from server.workspace.sources.source_files import clean_source
from server.workspace.sources.token_index import EncodedFile, TokenIndex, build_token_index
from server.workspace.uris import path_of
from training.artifact.tokenizer import CodeTokenizer

MAX_DOCUMENTS = 32
MAX_DOCUMENT_CHARS = 256 << 10


class WorkspaceMemory:
    """What is known of a workspace; used by one thread.

    Args:
        tokenizer: The model's.
        tokenizer_file: The file that it was read from.
    """

    def __init__(self, tokenizer: CodeTokenizer, tokenizer_file: Path) -> None:
        self.tokenizer_file = tokenizer_file
        self._tokenizer = tokenizer
        self._files: TokenIndex | None = None
        self._built = 0.0
        self._documents: dict[str, TokenIndex] = {}  # by URI, the latest changed last
        self._last: tuple[str, TokenMemory] | None = None

    @property
    def tokenizer_sha256(self) -> str:
        """The hash of the tokenizer: ids of another one mean other text."""
        return self._tokenizer.sha256

    def describe(self) -> MemoryInfo:
        """Returns what is known."""
        files = self._files
        return MemoryInfo(
            files=0 if files is None else len(files.paths),
            files_left_out=0 if files is None else files.n_left_out,
            documents=len(self._documents),
            tokens=sum(d.n_tokens for d in self._documents.values())
            + (0 if files is None else files.n_tokens),
            age_s=None if files is None else max(0.0, round(time.time() - self._built, 1)),
        )

    def use_files(self, index: TokenIndex, *, built: float) -> None:
        """Uses another index of the files.

        Args:
            index: The index.
            built: When, in seconds since 1970.
        """
        self._files, self._built = index, built
        self._last = None

    def forget_files(self) -> None:
        """Uses no index until there is another."""
        self._files = self._last = None

    def update_document(self, uri: str, text: str | None) -> None:
        """Takes note of an open document's text; None once it is closed."""
        self._documents.pop(uri, None)
        self._last = None
        if text is None or len(text) > MAX_DOCUMENT_CHARS:
            return
        path = path_of(uri)
        name = uri if path is None else str(path)
        file = EncodedFile.encode(name, clean_source(text), self._tokenizer)
        self._documents[uri] = build_token_index([file], self._tokenizer)
        while len(self._documents) > MAX_DOCUMENTS:
            del self._documents[next(iter(self._documents))]

    def recall(self, uri: str) -> TokenMemory:
        """Returns what is known when a document is completed."""
        if self._last is None or self._last[0] != uri:
            self._last = uri, TokenMemory(self._parts(uri))
        return self._last[1]

    def _parts(self, uri: str) -> list[MemoryPart]:
        parts = [d.without(()) for other, d in self._documents.items() if other != uri]
        if self._files is not None:
            parts.append(self._files.without(self._open_paths(uri)))
        return parts

    def _open_paths(self, uri: str) -> set[str]:
        paths = map(path_of, [uri, *self._documents])
        return {str(path) for path in paths if path is not None}
