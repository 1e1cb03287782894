"""The endless sequence of a lane's documents, from any position.

A damaged file is a counted drop of what is left of it, so that one among thousands does not end a
run of days; where it is damaged is the same each time. A file that cannot be reached ends the run,
which resumes later: otherwise the order would depend on the network. Called by
:mod:`training.stream.lane` and :mod:`training.stream.heldout_blocks`.
"""

import csv
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pyarrow as pa

from training.corpus.config import ArchiveLimits, CorpusConfig
from training.corpus.corpus_document import Document
from training.corpus.readers.reading_limits import BeyondLimitsError
from training.corpus.readers.records.record_slices import (
    FileSlice,
    ReadRecords,
    SlicePosition,
    iterate_slice,
)
from training.foundation.errors import CorpusError, describe_os_error
from training.foundation.foreign_text import path_text
from training.stream.document_stages import DocumentStages
from training.stream.lane_order import deal_slices

DAMAGED_FILE = "rest of a damaged file"
WAITS_S = (1.0, 5.0, 25.0)  # before a remote file is opened again
# What damaged bytes raise. A bare OSError is the library's that unpacks zstd.
_DAMAGE = (
    *(ValueError, EOFError, LookupError, NotImplementedError, RecursionError),
    *(zlib.error, csv.Error, pa.ArrowException, BeyondLimitsError),
)


@dataclass(frozen=True, kw_only=True)
class LanePosition:
    """How far a lane has read.

    Attributes:
        epoch: How often it has read its share of the files.
        turn: Which of the epoch's slices it reads.
        n_read: How far it has read that slice (``SlicePosition``).
        offset: The same in bytes, for files that can be entered anywhere.
    """

    epoch: int = 0
    turn: int = 0
    n_read: int = 0
    offset: int | None = None

    @property
    def in_slice(self) -> SlicePosition:
        """The position in the slice."""
        return SlicePosition(n_read=self.n_read, offset=self.offset)

    def advance(self, position: SlicePosition) -> "LanePosition":
        """Returns the position further on in the same slice."""
        return replace(self, n_read=position.n_read, offset=position.offset)


class DocumentReader:
    """Reads one lane's documents.

    Args:
        slices: Of all files.
        n_lanes: Among which they are dealt.
        lane: This one.
        seed: Of the order.
        config: The stages' settings.
        stages: Makes the documents.
    """

    def __init__(
        self,
        slices: tuple[FileSlice, ...],
        *,
        n_lanes: int,
        lane: int,
        seed: int,
        config: CorpusConfig,
        stages: DocumentStages,
    ) -> None:
        self._slices = slices
        self._n_lanes = n_lanes
        self._lane = lane
        self._seed = seed
        self._config = config
        self._stages = stages

    def iterate(self, position: LanePosition) -> Iterator[tuple[list[Document], LanePosition]]:
        """Yields documents, few at a time, and the position after them, without end.

        Raises:
            CorpusError: A file cannot be reached.
        """
        while True:
            turns = deal_slices(self._slices, self._n_lanes, seed=self._seed, epoch=position.epoch)[
                self._lane
            ]
            while position.turn < len(turns):
                part = self._slices[turns[position.turn]]
                for read in read_records(
                    part, self._stages, self._config.archive_limits, position.in_slice
                ):
                    position = position.advance(read.after)
                    yield self._make_documents(part, read), position
                position = LanePosition(epoch=position.epoch, turn=position.turn + 1)
            position = LanePosition(epoch=position.epoch + 1)
            yield [], position

    def _make_documents(self, part: FileSlice, read: ReadRecords) -> list[Document]:
        parser = self._stages.open_parser(part.file)
        made = (self._stages.make_document(row, read.number, parser) for row in read.rows)
        return [document for document in made if document is not None]


def read_records(
    part: FileSlice, stages: DocumentStages, limits: ArchiveLimits, start: SlicePosition
) -> Iterator[ReadRecords]:
    """Yields the rest of a slice; a remote file is opened again if it breaks off.

    Args:
        part: The slice.
        stages: Parse the records, and count what is left of a damaged file as a drop.
        limits: Beyond which a file is taken for a bomb.
        start: Where to begin.

    Raises:
        CorpusError: The file cannot be reached.
    """
    parser, n_failures = stages.open_parser(part.file), 0
    while True:
        try:
            rest = iterate_slice(part, parser, limits, start)
            with closing(rest):  # type: ignore[type-var]
                for read in rest:
                    yield read
                    start, n_failures = read.after, 0
        except Exception as error:  # libraries raise anything
            if _is_damage(error, is_remote=part.file.is_remote):
                stages.counts.add_drop(DAMAGED_FILE, path_text(part.file.path))
            elif isinstance(error, CorpusError):
                raise
            elif part.file.is_remote and n_failures < len(WAITS_S):
                time.sleep(WAITS_S[n_failures])
                n_failures += 1
                continue
            else:
                raise CorpusError(_explain(part, error)) from error
        return


def _is_damage(error: Exception, *, is_remote: bool) -> bool:
    """Returns whether an exception says that the bytes are damaged, rather than out of reach."""
    if isinstance(error, OSError):
        return error.errno is None and not is_remote
    return isinstance(error, _DAMAGE)


def _explain(part: FileSlice, error: Exception) -> str:
    reason = describe_os_error(error) if isinstance(error, OSError) and error.errno else error
    text = " ".join(str(reason).split())[:200] or type(error).__name__
    return (
        f"{path_text(part.file.path)} cannot be read any more ({text}); run the same command again"
        " when it can, to resume"
    )
