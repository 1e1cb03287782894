"""Encodes a row group of documents into packed tokens, and keeps them in a file.

A pure function of row group, tokenizer and config. ``training.prepare`` calls it in several
processes; the files let an interrupted run resume.

Source: Tunstall, von Werra and Wolf 2022, CodeParrot (minimum characters per token).
"""

import functools
import json
import os
import random
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.artifact.special_tokens import QUALITY_TOKENS
from training.artifact.tokenizer import CodeTokenizer
from training.config import ShardsConfig
from training.corpus_reader import RowGroup, StoredDocument, read_documents
from training.shards.blocks import join_pieces
from training.shards.packing import EncodedText, Piece, pack_document

DOCUMENT_COLUMNS = ["package", "version", "path", "licence", "quality", "sha256"]
QUALITY_OF_LEVEL = dict(zip(("low", "mid", "high"), QUALITY_TOKENS, strict=True))


@dataclass(frozen=True, kw_only=True)
class EncodedGroup:
    """An encoded row group; documents are numbered within the group.

    Its tokens fill whole blocks but for the last ones. ``dropped`` lists documents with too few
    characters per token, as ``PACKAGE: PATH``.
    """

    tokens: npt.NDArray[Any]
    pieces: npt.NDArray[Any]
    documents: list[dict[str, str]]
    dropped: list[str]

    def save(self, path: Path) -> None:
        """Writes one file atomically."""
        about = {"documents": self.documents, "dropped": self.dropped}
        aside = path.with_suffix(f".{os.getpid()}")
        with aside.open("wb") as file:
            np.savez(
                file,
                tokens=self.tokens,
                pieces=self.pieces,
                about=np.frombuffer(json.dumps(about).encode(), np.uint8),
            )
        aside.replace(path)

    @classmethod
    def load(cls, path: Path) -> "EncodedGroup | None":
        """Reads what :meth:`save` wrote; returns None if the file is missing or damaged."""
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                about = json.loads(file["about"].tobytes())
                return cls(tokens=file["tokens"], pieces=file["pieces"], **about)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            return None


def encode_to_file(
    group: RowGroup, path: Path, *, tokenizer_file: Path, shards: ShardsConfig
) -> None:
    """Encodes a row group into its file, unless that exists."""
    if EncodedGroup.load(path) is None:
        encode_group(group, tokenizer_file=tokenizer_file, shards=shards).save(path)


def encode_group(group: RowGroup, *, tokenizer_file: Path, shards: ShardsConfig) -> EncodedGroup:
    """Encodes and packs a row group's documents, in an order given by the seed."""
    stored = list(read_documents(group, [*DOCUMENT_COLUMNS, "text"]))
    return encode_documents(
        stored,
        tokenizer=_load_tokenizer(tokenizer_file),
        shards=shards,
        order=f"{shards.seed}:{group.path.name}:{group.index}",
        seed=str(shards.seed),
    )


def encode_documents(
    stored: list[StoredDocument],
    *,
    tokenizer: CodeTokenizer,
    shards: ShardsConfig,
    order: str,
    seed: str,
) -> EncodedGroup:
    """Encodes and packs documents.

    Args:
        stored: The documents; the list is shuffled.
        tokenizer: The vocabulary.
        shards: How documents become blocks.
        order: Seeds the order of the documents.
        seed: Seeds, with a document's text, how it is split for infilling.
    """
    random.Random(order).shuffle(stored)
    pieces: list[tuple[int, Piece]] = []
    documents: list[dict[str, str]] = []
    dropped: list[str] = []
    n_tokens = 0
    for document in stored:
        encoded = EncodedText(document.text, tokenizer)
        if encoded.characters_per_token < shards.min_characters_per_token:
            dropped.append(f"{document.package}: {document.path}")
            continue
        for piece in pack_document(
            encoded,
            shards.block_tokens - n_tokens % shards.block_tokens,
            block_tokens=shards.block_tokens,
            fim=shards.fim,
            chance=random.Random(f"{seed}:{document.sha256}"),
            quality=QUALITY_OF_LEVEL.get(document.quality),
        ):
            pieces.append((len(documents), piece))
            n_tokens += len(piece.ids)
        documents.append({column: getattr(document, column) for column in DOCUMENT_COLUMNS})
    tokens, records = join_pieces(pieces)
    return EncodedGroup(
        tokens=tokens.astype(np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.uint32),
        pieces=records,
        documents=documents,
        dropped=dropped,
    )


@functools.cache
def _load_tokenizer(path: Path) -> CodeTokenizer:
    return CodeTokenizer.load(path)
