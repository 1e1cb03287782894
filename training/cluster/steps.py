"""The steps of a task: the stages of the local build, fed by rank.

    ExtractSources  extracts a task's share of the sources, each into a part
    ReadParts       yields the parts' documents to the next step
    WordSignature   datatrove's MinHash; its buckets and clusters are datatrove's own steps
    WriteCorpus     one task: selects among all documents and writes the corpus

Task ``r`` of ``n`` handles the sources whose number is ``r`` modulo ``n``. The parts are in a
folder that all machines share; a complete part is not made again.
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

from training.corpus.build import warn_of_names
from training.corpus.config import CorpusConfig
from training.corpus.dedup.near_duplicates import MIN_WORDS, WORD, hash_words
from training.corpus.extraction.parts import Part
from training.corpus.extraction.source_extractor import SourceExtractor
from training.corpus.output.corpus_folder import write_corpus
from training.corpus.readers.corpus_source import CorpusSource
from training.corpus.selection.selection import PartRow, select
from training.foundation.errors import CorpusError
from training.foundation.folder_lock import folder_lock

_PAIR = struct.Struct("<2I")


class ExtractSources(PipelineStep):
    """Extracts the sources of a rank into parts."""

    type, name = "parrotlet", "read sources"

    def __init__(self, config: CorpusConfig, sources: Sequence[CorpusSource], parts: Path) -> None:
        super().__init__()
        self._config, self._sources, self._parts = config, list(sources), parts

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Makes the parts and yields nothing."""
        extractor = SourceExtractor.create(self._config)
        for number in range(rank, len(self._sources), world_size):
            with self.track_time():
                part = Part(folder=self._parts, number=number)
                report = part.read_report() or extractor.extract(self._sources[number], part)
            self.stat_update("files", value=report.files)
        yield from data or ()


class ReadParts(PipelineStep):
    """Yields the documents of a rank's parts."""

    type, name = "parrotlet", "read parts"

    def __init__(self, parts: Path, n_sources: int) -> None:
        super().__init__()
        self._parts, self._n_sources = parts, n_sources

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Yields the documents, each identified by its part and row."""
        yield from data or ()
        for number in range(rank, self._n_sources, world_size):
            row = 0
            for table in Part(folder=self._parts, number=number).read_row_groups(["text"]):
                for text in table["text"].to_pylist():
                    yield Document(text=text, id=f"{number}:{row}")
                    row += 1


class WordSignature(MinhashDedupSignature):
    """datatrove's MinHash over the words that the local build compares."""

    name = "MinHash of words"

    def __init__(self, folder: str, config: MinhashConfig) -> None:
        # get_shingles splits the words; this tokenizer only keeps datatrove from loading another.
        super().__init__(folder, config, language=WhitespaceTokenizer())

    def get_shingles(self, text: str) -> Any:
        """Returns the hashes of the different words ``[N, 1]``; none if the text is too short."""
        words = set(WORD.findall(text))
        hashes = hash_words(words) if len(words) >= MIN_WORDS else np.array([], np.uint32)
        return hashes.astype(np.uint64).reshape(-1, 1)


class WriteCorpus(PipelineStep):
    """Selects among the documents of all parts and writes the corpus, in a single task."""

    type, name = "parrotlet", "finish"

    def __init__(
        self,
        config: CorpusConfig,
        sources: Sequence[CorpusSource],
        *,
        parts: Path,
        clusters: Path | None,
        tasks: int,
        inputs_sha256: str,
    ) -> None:
        super().__init__()
        self._config, self._sources = config, list(sources)
        self._inputs_sha256 = inputs_sha256
        self._parts = [Part(folder=parts, number=number) for number in range(len(self._sources))]
        self._clusters, self._tasks = clusters, tasks

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Writes the corpus and yields nothing."""
        assert (rank, world_size) == (0, 1), "needs all documents at once"
        started = time.monotonic()
        with self.track_time():
            reports = [part.read_report() for part in self._parts]
            missing = [s.name for s, r in zip(self._sources, reports, strict=True) if r is None]
            if missing:
                raise CorpusError(
                    f"{len(missing)} sources were not read, {missing[0]} first; check the logs of"
                    " the read stage and run the same command again"
                )
            finished = [report for report in reports if report is not None]
            near = []  # are kept unless there are clusters of them
            if self._clusters is not None:
                near = read_clusters(self._clusters, self._parts, self._tasks)
            selection = select(self._parts, self._config, near)
            warn_of_names(self._config, finished, selection)
            with folder_lock(self._config.out, beside=True):
                write_corpus(
                    self._config,
                    self._parts,
                    finished,
                    selection,
                    inputs_sha256=self._inputs_sha256,
                    started=started,
                )
        yield from data or ()


def read_clusters(folder: Path, parts: Sequence[Part], tasks: int) -> list[list[PartRow]]:
    """Reads datatrove's ``RANK.clusters`` files: which documents are near duplicates.

    The files identify a document by its rank and its position there.
    """
    found: dict[int, list[PartRow]] = {}
    for rank in range(tasks):
        file = folder / f"{rank:06d}.clusters"
        if file.is_file():
            rows = list(_list_rows(parts[rank::tasks]))
            for document, cluster in _PAIR.iter_unpack(file.read_bytes()):
                found.setdefault(cluster, []).append(rows[document])
    return [found[cluster] for cluster in sorted(found)]


def _list_rows(parts: Iterable[Part]) -> Iterator[PartRow]:
    for part in parts:
        n_rows = sum(table.num_rows for table in part.read_row_groups(["n_bytes"]))
        yield from (PartRow(part.number, row) for row in range(n_rows))
