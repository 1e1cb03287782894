"""The documents of a corpus, for the commands that measure a model on real files."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq

from training.foundation.errors import PrerequisiteError

Split = Literal["train", "heldout"]
_SPLIT_NAMES = {"train": "training", "heldout": "held-out"}  # in messages


@dataclass(frozen=True, kw_only=True)
class CorpusDocument:
    """A source file of a corpus."""

    package: str
    path: str
    text: str

    @property
    def name(self) -> str:
        """Package and path."""
        return f"{self.package}/{self.path}"


def read_documents(corpus: Path, split: Split) -> Iterator[CorpusDocument]:
    """Yields the documents of one split of a corpus.

    Raises:
        PrerequisiteError: The corpus does not exist.
    """
    files = sorted((corpus / split).glob("*.parquet"))
    if not files:
        raise PrerequisiteError(
            f"{corpus} contains no {_SPLIT_NAMES[split]} documents; build a corpus with parrotlet"
            " corpus, or correct --corpus"
        )
    for file in files:
        for row in pq.read_table(file, columns=["package", "path", "text"]).to_pylist():
            yield CorpusDocument(package=row["package"], path=row["path"], text=row["text"])


def alternate_packages(
    documents: Sequence[CorpusDocument], chance: random.Random
) -> Iterator[CorpusDocument]:
    """Yields documents in random order, from one package after the other in rotation."""
    packages: dict[str, list[CorpusDocument]] = {}
    for document in documents:
        packages.setdefault(document.package, []).append(document)
    for group in packages.values():
        chance.shuffle(group)
    while packages:
        for name in list(packages):
            yield packages[name].pop()
            if not packages[name]:
                del packages[name]
