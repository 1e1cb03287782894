"""The unit of the corpus: one source file and its provenance."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Document:
    """One Python file as it is trained on: decoded, with line feeds, secrets replaced."""

    package: str
    version: str
    path: str
    licence: str  # SPDX expression of the package
    quality: str = ""  # "low", "mid", "high", or "" if unknown
    weight: float = 1.0  # the share of such documents to keep
    source: str = ""  # the name of its source, which may differ from the package's
    text: str

    @property
    def sha256(self) -> str:
        """The hex SHA-256 of the text in UTF-8: the document's identity."""
        return hashlib.sha256(self.text.encode()).hexdigest()


SCHEMA = pa.schema(
    [
        (name, pa.string())
        for name in ("package", "version", "path", "licence", "quality", "sha256", "text")
    ]
)


def to_table(documents: Sequence[Document]) -> pa.Table:
    """Returns documents as a Parquet table of :data:`SCHEMA`."""
    return pa.table(
        {name: [getattr(d, name) for d in documents] for name in SCHEMA.names}, schema=SCHEMA
    )
