"""One lane of a stream: documents in, blocks out, a window at a time.

Documents are shuffled among ``stream.shuffle_documents`` of them, tokenized, split for infilling
and packed by the code that prepares shards; then the blocks of a window are shuffled. The state
before a window is all that a resumed run needs to make the same window again. Pure in state, plan
and files; nothing here knows processes. Called by :mod:`training.stream.lane_worker`.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.artifact.tokenizer import CodeTokenizer
from training.config import ShardsConfig
from training.corpus.config import CorpusConfig
from training.corpus.corpus_document import Document
from training.corpus.dedup.exact_duplicates import hash_content
from training.corpus.readers.records.record_slices import FileSlice
from training.corpus_reader import StoredDocument
from training.foundation.errors import CorpusError
from training.shards.carry_over import CarryOver, PackedTokens, cut_blocks
from training.shards.encoding import DOCUMENT_COLUMNS, encode_documents
from training.stream.document_reader import DocumentReader, LanePosition
from training.stream.document_stages import DocumentStages
from training.stream.lane_state import LaneFacts, LaneState

SEEN = "seen before"
FEW_CHARACTERS = "few characters per token"
MAX_GROUP_CHARS = 4 << 20  # of documents that are shuffled together
EMPTY_EPOCHS = 3  # without a document, after which a lane gives up
Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class StreamPlan:
    """Everything that the blocks of a stream depend on, besides the content of the files.

    Attributes:
        slices: Of all files.
        n_lanes: Among which they are dealt.
        seed: Of the order.
        tokenizer_file: The vocabulary.
        shards: How documents become blocks.
        stages: The settings of the stages that each document passes.
        heldout_share: The share of packages that is not trained on.
        heldout_by_document: Whether it is one of documents, because there are few packages.
        shuffle_documents: Documents that are shuffled together.
        shuffle_blocks: Blocks that are shuffled together, at least.
        seen_documents: Documents among which a repeated one is found.
    """

    slices: tuple[FileSlice, ...]
    n_lanes: int
    seed: int
    tokenizer_file: Path
    shards: ShardsConfig
    stages: CorpusConfig
    heldout_share: float
    shuffle_documents: int
    shuffle_blocks: int
    seen_documents: int
    heldout_by_document: bool = False

    def open_stages(self) -> DocumentStages:
        """Returns what makes documents of records."""
        return DocumentStages(self.stages, self.heldout_share, by_document=self.heldout_by_document)

    @cached_property
    def tokenizer(self) -> CodeTokenizer:
        """The vocabulary."""
        return CodeTokenizer.load(self.tokenizer_file)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Consecutive blocks of a lane.

    Attributes:
        tokens: ``[blocks, block_tokens]`` ids.
        pieces: ``PIECE_DTYPE`` records by position; ``document`` is an index into ``documents``.
        documents: The documents of the pieces, with their numbers in the lane.
        before: The lane's state that made it.
        after: The state behind it.
    """

    tokens: Array
    pieces: Array
    documents: list[tuple[int, dict[str, str]]]
    before: LaneState
    after: LaneState

    @property
    def first_block(self) -> int:
        """The number of its first block, among the lane's."""
        return self.before.facts.first_block


class Lane:
    """Makes the windows of one lane from a state on.

    Args:
        plan: The stream.
        state: Before the first window to make.
        stages: Makes the documents; lanes of one process share it, since it takes a second.
    """

    def __init__(self, plan: StreamPlan, state: LaneState, stages: DocumentStages) -> None:
        self._plan = plan
        self._state = state
        self._stages = stages
        self._documents = self._iterate_documents(state.facts.position)
        self._seen = deque(state.seen.tolist(), plan.seen_documents)
        self._seen_set = set(self._seen)
        self._carry_over = CarryOver(plan.shards.block_tokens, plan.tokenizer)
        self._carry_over.load(state.carried)
        self._position = state.facts.position
        self._drops = Counter(dict(state.facts.drops))

    def make_window(self) -> Window:
        """Returns the next window.

        Raises:
            CorpusError: The files cannot be read, or hold no document.
        """
        before, facts = self._state, self._state.facts
        n_blocks = 0
        packed: list[PackedTokens] = []
        known = {int(number): dict(row) for number, row in facts.waiting.items()}
        n_documents = facts.n_documents
        while n_blocks < self._scale(self._plan.shuffle_blocks):
            group = self._encode_group(len(packed))
            known |= enumerate(group.documents, start=n_documents)
            group.pieces["document"] += n_documents
            n_documents += len(group.documents)
            whole, rest = cut_blocks(group.tokens, group.pieces, self._plan.shards.block_tokens)
            for found in (whole, *self._carry_over.add(rest)):
                packed.append(found)
                n_blocks += found.tokens.size // self._plan.shards.block_tokens
        waiting = {str(n): known[n] for n in sorted(self._carry_over.waiting_documents)}
        self._state = LaneState(
            facts=LaneFacts(
                lane=facts.lane,
                position=self._position,
                window=facts.window + 1,
                first_block=facts.first_block + n_blocks,
                n_documents=n_documents,
                waiting=waiting,
                drops=dict(sorted(self._drops.items())),
            ),
            carried=self._carry_over.save(),
            seen=np.array(self._seen, np.uint64),
        )
        tokens, pieces = self._shuffle_blocks(packed)
        numbers, pieces["document"] = np.unique(pieces["document"], return_inverse=True)
        documents = [(number, known[number]) for number in numbers.tolist()]
        return Window(
            tokens=tokens, pieces=pieces, documents=documents, before=before, after=self._state
        )

    def _scale(self, size: int) -> int:
        """Returns a size for this window: first ones differ, so that lanes do not end together."""
        facts = self._state.facts
        return size if facts.window else -(-size * (facts.lane + 1) // self._plan.n_lanes)

    def _encode_group(self, number: int) -> Any:
        """Reads, shuffles, encodes and packs documents; ``number`` is that of the group."""
        facts, plan = self._state.facts, self._plan
        epoch = self._position.epoch
        stored: list[StoredDocument] = []
        n_chars, n_empty = 0, 0
        while len(stored) < self._scale(plan.shuffle_documents) and n_chars < MAX_GROUP_CHARS:
            documents, self._position = next(self._documents)
            stored += [to_stored(document) for document in documents]
            n_chars += sum(len(document.text) for document in documents)
            n_empty += self._position.epoch > epoch + n_empty
            if n_empty >= EMPTY_EPOCHS:
                if not stored:
                    self._drops.update(self._stages.take_counts())
                    raise CorpusError(_describe_nothing(self._drops))
                break
        seed = str(plan.shards.seed) if epoch == 0 else f"{plan.shards.seed}/{epoch}"
        order = f"{plan.seed}:{facts.lane}:{facts.window}:{number}"
        group = encode_documents(
            stored, tokenizer=plan.tokenizer, shards=plan.shards, order=order, seed=seed
        )
        self._drops.update(self._stages.take_counts())
        if group.dropped:
            self._drops[FEW_CHARACTERS] += len(group.dropped)
        return group

    def _iterate_documents(
        self, position: LanePosition
    ) -> Iterator[tuple[list[Document], LanePosition]]:
        """Yields the documents that are not repeated, and the position after them."""
        plan = self._plan
        reader = DocumentReader(
            plan.slices,
            n_lanes=plan.n_lanes,
            lane=self._state.facts.lane,
            seed=plan.seed,
            config=plan.stages,
            stages=self._stages,
        )
        for documents, after in reader.iterate(position):
            epoch, position = position.epoch, after
            kept = [found for found in documents if not self._is_repeated(found, epoch)]
            if len(kept) < len(documents):
                self._drops[SEEN] += len(documents) - len(kept)
            yield kept, after

    def _is_repeated(self, document: Document, epoch: int) -> bool:
        """Returns whether a document is one of the last of this epoch, and remembers it."""
        if not self._plan.seen_documents:
            return False
        digest = hash_content(f"{epoch}:{document.text}")
        key = int.from_bytes(digest[:8], "little")
        if key in self._seen_set:
            return True
        if len(self._seen) == self._plan.seen_documents:
            self._seen_set.discard(self._seen[0])
        self._seen.append(key)
        self._seen_set.add(key)
        return False

    def _shuffle_blocks(self, packed: list[PackedTokens]) -> tuple[Array, Array]:
        """Returns a window's blocks in a new order, and their pieces."""
        n_tokens, vocab_size = self._plan.shards.block_tokens, self._plan.tokenizer.vocab_size
        dtype = np.uint16 if vocab_size <= 1 << 16 else np.uint32
        tokens = np.concatenate([p.tokens for p in packed]).astype(dtype).reshape(-1, n_tokens)
        starts = np.cumsum([0, *(p.tokens.size for p in packed[:-1])])
        pieces = np.concatenate([p.pieces for p in packed])
        counts = [len(p.pieces) for p in packed]
        firsts = pieces["first_token"] + np.repeat(starts, counts)
        facts = self._state.facts
        rng = np.random.default_rng((self._plan.seed, facts.lane, facts.window))
        order = rng.permutation(len(tokens))
        place = np.argsort(order)  # of each block
        pieces["first_token"] = place[firsts // n_tokens] * n_tokens + firsts % n_tokens
        return tokens[order], np.sort(pieces, order="first_token")


def to_stored(document: Document) -> StoredDocument:
    """Returns a document as the code that prepares shards reads it from a corpus."""
    values = {column: getattr(document, column) for column in DOCUMENT_COLUMNS}
    return StoredDocument(**values, text=document.text)


def _describe_nothing(drops: Counter[str]) -> str:
    reasons = ", ".join(f"{reason} {n}" for reason, n in drops.most_common(5))
    return (
        f"the stream has no document for a part of each step (dropped: {reasons or 'none'}); name"
        " more files, lower stream.lanes, or change the stages' config (stream.stages)"
    )
