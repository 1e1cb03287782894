"""The documents of a corpus, for the commands that measure a model on real files.

A corpus may be a stranger's: its files are regular ones in its folder, and what they unpack to has
a limit.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.runs.input_files import open_input
from evaluation.runs.record_fields import get_field
from training.foundation.errors import CorpusError, PrerequisiteError
from training.foundation.foreign_text import path_text

Split = Literal["train", "heldout"]
MAX_CORPUS_CHARS = 4 << 30
MAX_DOCUMENTS = 10_000_000
_BATCH_ROWS = 16  # that are unpacked at once
_COLUMNS = ("package", "path", "text")
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
        return f"{self.package}/{self.path}" if self.package else self.path


def read_documents(corpus: Path, split: Split) -> Iterator[CorpusDocument]:
    """Yields the documents of one split of a corpus.

    Raises:
        ConfigError: One of its files is no regular file, or elsewhere.
        CorpusError: One of its files is damaged, or unpacks to more than a corpus has.
        PrerequisiteError: The corpus does not exist.
    """
    files = sorted((corpus / split).glob("*.parquet"))
    if not files:
        raise PrerequisiteError(
            f"{corpus} contains no {_SPLIT_NAMES[split]} documents; build a corpus with parrotlet"
            " corpus, or correct --corpus"
        )
    n_chars = 0
    for number, document in enumerate(
        document for file in files for document in _read_file(file, corpus)
    ):
        n_chars += len(document.text)
        if number >= MAX_DOCUMENTS or n_chars > MAX_CORPUS_CHARS:
            raise CorpusError(
                f"{corpus} has over {MAX_DOCUMENTS} documents or {MAX_CORPUS_CHARS} characters;"
                " name a smaller corpus with --corpus"
            )
        yield document


def _read_file(file: Path, corpus: Path) -> Iterator[CorpusDocument]:
    with open_input(file, "--corpus", within=corpus) as opened:
        try:
            table = pq.ParquetFile(opened)
            for batch in table.iter_batches(batch_size=_BATCH_ROWS, columns=list(_COLUMNS)):
                for row in batch.to_pylist():
                    yield CorpusDocument(**{name: get_field(row, name, str) for name in _COLUMNS})
        except (pa.ArrowException, KeyError, ValueError, TypeError, OSError) as error:
            reason = f"it has no column {error}" if isinstance(error, KeyError) else error
            raise CorpusError(
                f"{path_text(file)} is damaged ({' '.join(str(reason).split())}); build the corpus"
                " again, or correct --corpus"
            ) from error


def hash_documents(documents: Iterable[CorpusDocument]) -> str:
    """Returns a SHA-256 over documents, in their order."""
    digest = hashlib.sha256()
    for document in documents:
        values = [document.package, document.path, document.text]
        digest.update(json.dumps(values, ensure_ascii=True).encode("ascii"))
    return digest.hexdigest()


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


def make_unique_id(wanted: str, n_of_id: Counter[str]) -> str:
    """Returns an id, numbered from the second time: a corpus may have several versions of a file.

    Args:
        wanted: The id.
        n_of_id: How often each was wanted; counted here.
    """
    n_of_id[wanted] += 1
    return wanted if n_of_id[wanted] == 1 else f"{wanted}#{n_of_id[wanted]}"
