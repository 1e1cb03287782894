"""The steps that a task runs: the default runner's own stages, fed by rank.

    ReadSources    a task's share of the sources, each into a part
    ReadParts      the parts' documents, for
    WordSignature  datatrove's MinHash, whose buckets and clusters are datatrove's own steps
    Finish         one task: selects among all documents, writes the corpus

Sources go round: task ``r`` of ``n`` has those whose number is ``r`` modulo ``n``. Parts lie in a
folder that all machines see; one that is whole is not made again.
"""

import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.utils.word_tokenizers import WhitespaceTokenizer

from training.corpus.build import check_heldout, warn_of_missing, write_result
from training.corpus.config import CorpusConfig
from training.corpus.dedup.near_duplicates import MIN_WORDS, WORD, word_hashes
from training.corpus.extraction.parts import Part
from training.corpus.extraction.source_reader import Reader
from training.corpus.readers.sources import Source
from training.corpus.selection.selection import Place, select
from training.foundation.errors import CorpusError
from training.foundation.folder_lock import folder_lock

_PAIR = struct.Struct("<2I")


class ReadSources(PipelineStep):
    """Reads and screens the sources of a rank into parts."""

    type, name = "parrotlet", "read sources"

    def __init__(self, config: CorpusConfig, sources: Sequence[Source], parts: Path) -> None:
        super().__init__()
        self._config, self._sources, self._parts = config, list(sources), parts

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Makes the parts; yields nothing."""
        reader = Reader.of(self._config)
        for number in range(rank, len(self._sources), world_size):
            with self.track_time():
                report = reader.read(self._sources[number], Part(folder=self._parts, number=number))
            self.stat_update("files", value=report["files"])
        yield from data or ()


class ReadParts(PipelineStep):
    """Yields the documents of a rank's parts."""

    type, name = "parrotlet", "read parts"

    def __init__(self, parts: Path, n_sources: int) -> None:
        super().__init__()
        self._parts, self._n_sources = parts, n_sources

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Yields documents, each named by its place."""
        yield from data or ()
        for number in range(rank, self._n_sources, world_size):
            row = 0
            for table in Part(folder=self._parts, number=number).row_groups(["text"]):
                for text in table["text"].to_pylist():
                    yield Document(text=text, id=f"{number}:{row}")
                    row += 1


class WordSignature(MinhashDedupSignature):
    """datatrove's MinHash over the words that the default runner compares."""

    name = "MinHash of words"

    def __init__(self, folder: str, config: MinhashConfig) -> None:
        # The words are our own; naming a tokenizer keeps datatrove from asking for an English one.
        super().__init__(folder, config, language=WhitespaceTokenizer())

    def get_shingles(self, text: str) -> Any:
        """Returns the hashed different words ``[N, 1]``; none for too short a text."""
        words = set(WORD.findall(text))
        hashes = word_hashes(words) if len(words) >= MIN_WORDS else np.array([], np.uint32)
        return hashes.astype(np.uint64).reshape(-1, 1)


class Finish(PipelineStep):
    """Selects among the documents of all parts and writes the corpus; runs as one task."""

    type, name = "parrotlet", "finish"

    def __init__(
        self,
        config: CorpusConfig,
        sources: Sequence[Source],
        *,
        parts: Path,
        clusters: Path,
        tasks: int,
        inputs: str,
    ) -> None:
        super().__init__()
        self._config, self._sources, self._inputs = config, list(sources), inputs
        self._parts = [Part(folder=parts, number=number) for number in range(len(self._sources))]
        self._clusters, self._tasks = clusters, tasks

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Writes the corpus; yields nothing."""
        assert (rank, world_size) == (0, 1), "sees all documents at once"
        started = time.monotonic()
        with self.track_time():
            reports = [part.read_report() for part in self._parts]
            missing = [s.name for s, r in zip(self._sources, reports, strict=True) if r is None]
            if missing:
                raise CorpusError(
                    f"{len(missing)} sources were not read, {missing[0]} first; check the logs of"
                    " the read stage and run the same command again"
                )
            whole = [report for report in reports if report is not None]
            check_heldout(self._config, self._sources, whole)
            near = read_clusters(self._clusters, self._parts, self._tasks)
            selection = select(self._parts, self._config, near)
            warn_of_missing(selection)
            with folder_lock(self._config.out, beside=True):
                write_result(
                    self._config,
                    self._parts,
                    whole,
                    selection,
                    inputs=self._inputs,
                    started=started,
                )
        yield from data or ()


def read_clusters(folder: Path, parts: Sequence[Part], tasks: int) -> list[list[Place]]:
    """Reads datatrove's ``RANK.clusters`` files: which documents are near duplicates.

    They name documents by their rank and their number in it, which are turned into places here.
    """
    found: dict[int, list[Place]] = {}
    for rank in range(tasks):
        file = folder / f"{rank:06d}.clusters"
        if file.is_file():
            places = list(_places(parts[rank::tasks]))
            for document, cluster in _PAIR.iter_unpack(file.read_bytes()):
                found.setdefault(cluster, []).append(places[document])
    return [found[cluster] for cluster in sorted(found)]


def _places(parts: Iterable[Part]) -> Iterator[Place]:
    for part in parts:
        n_rows = sum(table.num_rows for table in part.row_groups(["n_bytes"]))
        yield from ((part.number, row) for row in range(n_rows))
