"""Packages as workspaces: what the server would know of the other files of a package.

The package's documents are written to a folder, and read and indexed there by the server's own code
as a user's files are. An item's own document does not count for it.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from evaluation.runs.corpus_documents import CorpusDocument
from evaluation.runs.package_files import PackageFolders, write_documents
from server.memory.token_memory import TokenMemory
from server.workspace.sources.token_index import TokenIndex
from training.foundation.errors import ConfigError


class Position(Protocol):
    """A position in a document of a package, as items and places are."""

    @property
    def id(self) -> str:
        """Names it in messages."""
        ...

    @property
    def package(self) -> str:
        """The document's package; "" if it has none."""
        ...

    @property
    def path(self) -> str:
        """The document's path in the package."""
        ...


class Workspaces(PackageFolders):
    """The packages of items, each indexed when it is first needed; a context manager.

    Args:
        documents: All documents of the packages.
        index: Reads and indexes the Python files of a folder.
    """

    def __init__(
        self, documents: Iterable[CorpusDocument], index: Callable[[Path], TokenIndex | None]
    ) -> None:
        super().__init__(documents)
        self._index_folder = index
        self._indexes: dict[str, tuple[Path, TokenIndex]] = {}

    def recall(self, item: Position) -> TokenMemory:
        """Returns what is known when an item's document is completed.

        Raises:
            ConfigError: The item belongs to no package.
        """
        if item.package not in self.packages:
            raise ConfigError(
                f"the item {item.id!r:.80} belongs to no package of the corpus; use --workspace"
                " with items from --corpus"
            )
        found = self._indexes.get(item.package)
        if found is None:
            found = self._index(item.package)
            self._indexes[item.package] = found
        root, index = found
        return TokenMemory([index.without({str(root / item.path)})])

    def _index(self, package: str) -> tuple[Path, TokenIndex]:
        root = self.folder / str(len(self._indexes))
        write_documents(root, self.packages[package])
        index = self._index_folder(root)
        assert index is not None  # a model on this machine
        return root, index
