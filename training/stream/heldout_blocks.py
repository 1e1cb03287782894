"""What a streamed run validates on: a small shard folder, ``RUN/heldout``.

Documents are taken from the files that are held out as a whole; or, of all files in an order of
their own, those whose package falls into the held-out share; or, if none does, those that do so
themselves. Training passes over them. Written once, by the main process, in the format of shards:
``parrotlet validate`` reads it too.
"""

import dataclasses
import math
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from training.config import StreamConfig
from training.corpus.corpus_document import Document
from training.corpus.readers.records.record_slices import START, FileSlice, RecordFile
from training.corpus_reader import HELDOUT, StoredDocument
from training.foundation.atomic_files import (
    FolderContents,
    write_directory_atomically,
    write_json_atomically,
)
from training.foundation.config_schema import to_mapping
from training.foundation.errors import CorpusError
from training.foundation.progress import progress_bar
from training.shards.blocks import ShardWriter
from training.shards.carry_over import CarryOver, cut_blocks
from training.shards.encoding import DOCUMENT_COLUMNS, encode_documents
from training.shards.shards_meta import META_FILE, ShardsMeta, read_meta
from training.stream.document_reader import read_records
from training.stream.document_stages import DocumentStages
from training.stream.lane import StreamPlan, to_stored
from training.stream.lane_order import deal_slices
from training.train_tokenizer import TOKENIZER_FILE

HELDOUT_FOLDER = "heldout"
_CONTENTS = FolderContents(
    mark=META_FILE,
    files=frozenset(
        {
            *(META_FILE, TOKENIZER_FILE, f"{HELDOUT}.documents.parquet"),
            *(f"{HELDOUT}-[0-9]*.tokens.npy", f"{HELDOUT}-[0-9]*.pieces.npy"),
        }
    ),
)
_GROUP_DOCUMENTS = 32
_BYTES_PER_TOKEN = 12  # three times what code has
_STREAM, _BY_DOCUMENT = "stream", "heldout_by_document"  # in the record of the folder
_EPOCH = 1 << 32  # an order of the files that training does not use


def write_heldout(
    run: Path,
    plan: StreamPlan,
    files: tuple[RecordFile, ...],
    *,
    meta: ShardsMeta,
    settings: StreamConfig,
) -> None:
    """Writes the validation blocks of a run unless they are there.

    Args:
        run: The run's folder.
        plan: The stream.
        files: The files that are held out as a whole, if any.
        meta: What the blocks depend on.
        settings: How many blocks, and the share.

    Raises:
        CorpusError: No document is held out, or a file cannot be reached.
    """
    folder = run / HELDOUT_FOLDER
    if folder.is_dir() and _is_finished(read_meta(folder), meta):
        return
    sys.stderr.write("collecting held-out documents from the stream\n")
    drops = Counter[str]()
    for by_document in (False, True):
        chosen = dataclasses.replace(plan, heldout_by_document=by_document)
        with write_directory_atomically(folder, _CONTENTS) as aside:
            writer = _HeldoutWriter(aside, chosen, settings.heldout_blocks)
            share = 1.0 if files else plan.heldout_share
            stages = DocumentStages(plan.stages, share, by_document=by_document)
            writer.add_all(_iterate_heldout(plan, files, stages, settings))
            drops += stages.take_counts()
            plan.tokenizer.save(aside / TOKENIZER_FILE)
            write_json_atomically(aside / META_FILE, to_mapping(writer.describe(meta)))
        if writer.n_blocks:
            return
    shutil.rmtree(folder)
    raise CorpusError(_describe_none(settings, drops))


def _is_finished(found: ShardsMeta, wanted: ShardsMeta) -> bool:
    """Returns whether blocks of this stream are there; an interrupted first pass may have none."""
    is_same = found.shards_config.get(_STREAM) == wanted.content_sha256
    return is_same and sum(found.shard_blocks.get(HELDOUT, ())) > 0


def is_heldout_by_document(folder: Path) -> bool:
    """Returns whether single documents are held out, since no package was found to be."""
    return bool(read_meta(folder).shards_config.get(_BY_DOCUMENT))


class _HeldoutWriter:
    """Packs documents, left to right, into the blocks of one shard."""

    def __init__(self, folder: Path, plan: StreamPlan, n_most: int) -> None:
        self._folder = folder
        fim = dataclasses.replace(plan.shards.fim, rate=0.0)
        self._plan = dataclasses.replace(plan, shards=dataclasses.replace(plan.shards, fim=fim))
        self._n_most = n_most
        self._blocks = ShardWriter(
            folder,
            HELDOUT,
            block_tokens=plan.shards.block_tokens,
            blocks_per_shard=plan.shards.blocks_per_shard,
            vocab_size=plan.tokenizer.vocab_size,
        )
        self._carry_over = CarryOver(plan.shards.block_tokens, plan.tokenizer)
        self._rows: list[dict[str, str]] = []
        self.n_blocks = 0

    def add_all(self, documents: Iterator[Document]) -> None:
        """Adds documents until there are enough blocks."""
        waiting: list[StoredDocument] = []
        with progress_bar(self._n_most, "held out", "block") as bar:
            for document in documents:
                waiting.append(to_stored(document))
                if len(waiting) == _GROUP_DOCUMENTS:
                    bar.update(self._add(waiting))
                    waiting = []
                if self.n_blocks >= self._n_most:
                    break
            bar.update(self._add(waiting))
        self._blocks.flush()
        schema = pa.schema([(column, pa.string()) for column in DOCUMENT_COLUMNS])
        table = pa.Table.from_pylist(self._rows, schema=schema)
        pq.write_table(table, self._folder / f"{HELDOUT}.documents.parquet")

    def _add(self, documents: list[StoredDocument]) -> int:
        shards = self._plan.shards
        group = encode_documents(
            documents, tokenizer=self._plan.tokenizer, shards=shards, order="", seed=""
        )
        group.pieces["document"] += len(self._rows)
        whole, rest = cut_blocks(group.tokens, group.pieces, shards.block_tokens)
        n_blocks = 0
        for packed in (whole, *self._carry_over.add(rest)):
            self._blocks.add(packed.tokens, packed.pieces)
            n_blocks += packed.tokens.size // shards.block_tokens
        self._rows += group.documents
        self.n_blocks += n_blocks
        return n_blocks

    def describe(self, meta: ShardsMeta) -> ShardsMeta:
        """Returns the record of the folder."""
        return dataclasses.replace(
            meta,
            shards_config={
                **meta.shards_config,
                _STREAM: meta.content_sha256,
                _BY_DOCUMENT: self._plan.heldout_by_document,
            },
            sha256={HELDOUT: self._blocks.sha256},
            shard_blocks={HELDOUT: tuple(self._blocks.shard_blocks)},
            documents={HELDOUT: len(self._rows)},
            has_quality=any(row["quality"] for row in self._rows),
            tokens={HELDOUT: self.n_blocks * self._plan.shards.block_tokens},
        )


def _iterate_heldout(
    plan: StreamPlan,
    files: tuple[RecordFile, ...],
    stages: DocumentStages,
    settings: StreamConfig,
) -> Iterator[Document]:
    """Yields held-out documents, of as much of the stream as should hold enough of them."""
    n_tokens = settings.heldout_blocks * plan.shards.block_tokens
    left = math.inf
    if not files and plan.heldout_share:
        left = _BYTES_PER_TOKEN * n_tokens / plan.heldout_share
    parts = [FileSlice(file=file) for file in files]
    if not parts:
        (order,) = deal_slices(plan.slices, 1, seed=plan.seed, epoch=_EPOCH)
        parts = [plan.slices[index] for index in order]
    for part in parts:
        parser = stages.open_parser(part.file)
        for read in read_records(part, stages, plan.stages.archive_limits, START):
            left -= read.n_bytes
            if left < 0:
                return
            for row in read.rows:
                found = stages.make_document(row, read.number, parser, for_validation=True)
                if found is not None:
                    yield found


def _describe_none(settings: StreamConfig, drops: Counter[str]) -> str:
    reasons = ", ".join(f"{reason} {n}" for reason, n in drops.most_common(5)) or "none"
    if settings.heldout_files:
        return (
            "the files that stream.heldout_files holds out do not fill a block of validation"
            f" (dropped: {reasons}); name more of them"
        )
    return (
        f"the held-out share of the stream ({settings.heldout_share}) does not fill a block of"
        f" validation (dropped: {reasons}); raise stream.heldout_share, or set"
        ' stream.heldout_files="last"'
    )
