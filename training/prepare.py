"""Documents to shards: ``python -m training.prepare CONFIG.toml [key=value ...]``.

Encodes the corpus, splits pieces for infilling at the config's rate, packs them into fixed-length
blocks and writes the shard folder (see ``training.shards``). Training documents get infilling;
held-out ones stay left to right, so that validation measures plain language modelling. Row groups
are encoded in parallel and written in order: the output depends on corpus, tokenizer and config
alone, not on the number of processes.
"""

import dataclasses
import functools
import multiprocessing
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from training.artifact.errors import ConfigError, run_main
from training.artifact.files import directory_written_aside, file_sha256, write_json_atomically
from training.artifact.schema import load_toml, to_mapping
from training.artifact.special_tokens import QUALITY_TOKENS
from training.artifact.tokenizer import CodeTokenizer
from training.config import FimConfig, RunConfig, ShardsConfig
from training.corpus_reader import RowGroup, corpus_hash, read_rows, row_groups
from training.packing import Piece, pack_document
from training.progress import progress_bar
from training.shards import META_FILE, ShardWriter, pieces_to_blocks
from training.train_tokenizer import TOKENIZER_FILE

DOCUMENT_COLUMNS = ["package", "version", "path", "licence", "quality", "sha256"]
QUALITY_OF_LEVEL = dict(zip(("low", "mid", "high"), QUALITY_TOKENS, strict=True))
SPLITS = ("train", "heldout")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncodedGroup:
    """What one row group became; documents are numbered within the group."""

    tokens: npt.NDArray[Any]
    pieces: npt.NDArray[Any]
    documents: list[dict[str, str]]
    n_tokens: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreparedSplit:
    """What one split became; ``has_quality`` says whether any document has a quality token."""

    shard_blocks: list[int]
    n_tokens: int
    has_quality: bool


def main(argv: Sequence[str]) -> int:
    """Prepares both splits and writes the shard folder whole or not at all."""
    if not argv:
        raise ConfigError("usage: python -m training.prepare CONFIG.toml [key=value ...]")
    config = load_toml(RunConfig, Path(argv[0]), argv[1:])
    tokenizer_file = config.paths.tokenizer / TOKENIZER_FILE
    tokenizer = CodeTokenizer.load(tokenizer_file)
    started = time.monotonic()
    meta: dict[str, Any] = {
        "block_tokens": config.shards.block_tokens,
        "vocab_size": tokenizer.vocab_size,
        "tokenizer_sha256": file_sha256(tokenizer_file),
        "corpus_sha256": corpus_hash(config.paths.corpus),
        "shards_config": to_mapping(config.shards),
        "shard_blocks": {},
        "tokens": {},
        "has_quality": False,
    }
    with directory_written_aside(config.paths.shards) as aside:
        for split in SPLITS:
            found = prepare_split(config, split, tokenizer.vocab_size, aside)
            meta["shard_blocks"][split] = found.shard_blocks
            meta["tokens"][split] = found.n_tokens
            meta["has_quality"] |= found.has_quality
        tokenizer.save(aside / TOKENIZER_FILE)
        write_json_atomically(aside / META_FILE, meta)
    counts = ", ".join(
        f"{split} {sum(b)} blocks of {meta['block_tokens']}"
        for split, b in meta["shard_blocks"].items()
    )
    sys.stdout.write(f"{config.paths.shards}: {counts}, {time.monotonic() - started:.0f} s\n")
    return 0


def prepare_split(config: RunConfig, split: str, vocab_size: int, folder: Path) -> PreparedSplit:
    """Writes one split's shards and document table."""
    shards = config.shards
    writer = ShardWriter(
        folder,
        split,
        block_tokens=shards.block_tokens,
        blocks_per_shard=shards.blocks_per_shard,
        vocab_size=vocab_size,
    )
    groups = row_groups(config.paths.corpus, split)
    fim = shards.fim if split == "train" else dataclasses.replace(shards.fim, rate=0.0)
    encode = functools.partial(
        encode_group,
        tokenizer_file=config.paths.tokenizer / TOKENIZER_FILE,
        shards=shards,
        fim=fim,
    )
    documents: list[dict[str, str]] = []
    n_tokens = 0
    context = multiprocessing.get_context("spawn")
    with (
        context.Pool(shards.processes) as pool,
        progress_bar(len(groups), f"preparing {split}", "group") as bar,
    ):
        for group in pool.imap(encode, groups):
            group.pieces["document"] += len(documents)
            documents += group.documents
            n_tokens += group.n_tokens
            writer.add(group.tokens, group.pieces)
            bar.update()
    writer.flush()
    table = pa.Table.from_pylist(
        documents, schema=pa.schema([(c, pa.string()) for c in DOCUMENT_COLUMNS])
    )
    pq.write_table(table, folder / f"{split}.documents.parquet")
    return PreparedSplit(
        shard_blocks=writer.shard_blocks,
        n_tokens=n_tokens,
        has_quality=any(document["quality"] for document in documents),
    )


def encode_group(
    group: RowGroup, *, tokenizer_file: Path, shards: ShardsConfig, fim: FimConfig
) -> EncodedGroup:
    """Encodes and packs one row group's documents, in an order drawn from the seed."""
    tokenizer = _tokenizer(tokenizer_file)
    rows = list(read_rows(group, [*DOCUMENT_COLUMNS, "text"]))
    random.Random(f"{shards.seed}:{group.path.name}:{group.index}").shuffle(rows)
    pieces: list[tuple[int, Piece]] = []
    n_tokens = 0
    for number, row in enumerate(rows):
        room = shards.block_tokens - n_tokens % shards.block_tokens
        chance = random.Random(f"{shards.seed}:{row['sha256']}")
        for piece in pack_document(
            row["text"],
            room,
            block_tokens=shards.block_tokens,
            tokenizer=tokenizer,
            fim=fim,
            chance=chance,
            quality=QUALITY_OF_LEVEL.get(row["quality"]),
        ):
            pieces.append((number, piece))
            n_tokens += len(piece.ids)
    tokens, records = pieces_to_blocks(pieces, shards.block_tokens)
    documents = [{column: row[column] for column in DOCUMENT_COLUMNS} for row in rows]
    return EncodedGroup(tokens=tokens, pieces=records, documents=documents, n_tokens=n_tokens)


@functools.cache
def _tokenizer(path: Path) -> CodeTokenizer:
    return CodeTokenizer.load(path)


if __name__ == "__main__":
    sys.exit(run_main(main))
