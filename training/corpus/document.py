"""The unit of the corpus: one source file with where it comes from."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Document:
    """One Python file as training sees it: decoded, lines ended by line feeds."""

    package: str
    version: str
    path: str
    licence: str  # SPDX expression of the package
    text: str

    @property
    def sha256(self) -> str:
        """The hex SHA-256 of the text in UTF-8: the document's identity."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(kw_only=True)
class Package:
    """What one source gave: documents that passed the filters, and counts of those that did not."""

    name: str
    version: str
    licence: str
    licence_source: str
    documents: list[Document] = field(default_factory=list)
    n_files: int = 0
    n_bytes: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)  # for the person, one sentence each


SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("package", "version", "path", "licence", "sha256", "text")]
)


def to_table(documents: Sequence[Document]) -> pa.Table:
    """Returns documents as a Parquet table of :data:`SCHEMA`."""
    return pa.table(
        {name: [getattr(d, name) for d in documents] for name in SCHEMA.names}, schema=SCHEMA
    )
