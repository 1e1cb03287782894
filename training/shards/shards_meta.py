"""What ``shards.json`` says: the sizes of a shard folder, and what it was made from.

Written by ``training.prepare`` and by streams, last of all, so that it marks a finished folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from training.foundation.config_schema import RangedConfig, from_mapping, number_field
from training.foundation.errors import ConfigError, CorpusError
from training.foundation.foreign_text import as_object, read_json

META_FILE = "shards.json"


@dataclass(frozen=True, kw_only=True)
class DroppedDocuments:
    """How many documents of a split were dropped for one reason, with examples."""

    documents: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ShardsMeta(RangedConfig):
    """The content of ``shards.json``; mappings are by split.

    Attributes:
        block_tokens: Tokens of a block.
        vocab_size: Of the tokenizer.
        tokenizer_sha256: Of ``tokenizer.json``.
        corpus_sha256: Of the corpus.
        shards_config: The ``[shards]`` settings that decide the blocks; none in old files.
        sha256: Hash over tokens and their documents; none in old files.
        shard_blocks: Blocks of each shard.
        documents: Number of documents.
        tokens: Number of tokens, including those that fill no whole block.
        has_quality: Whether any document has a quality token.
        drops: Dropped documents by reason, then by split.
    """

    block_tokens: int = number_field(least=1, most=1 << 24)
    vocab_size: int = number_field(0, least=0, most=1 << 24)
    tokenizer_sha256: str = ""
    corpus_sha256: str = ""
    shards_config: Mapping[str, Any] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
    shard_blocks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    documents: Mapping[str, int] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    has_quality: bool = False
    drops: Mapping[str, Mapping[str, DroppedDocuments]] = field(default_factory=dict)

    @property
    def has_fim(self) -> bool:
        """Whether pieces may be split for infilling; old files do not say so, but theirs are."""
        fim = self.shards_config.get("fim")
        return not (isinstance(fim, Mapping) and fim.get("rate") == 0)

    @property
    def content_sha256(self) -> str:
        """The hash over the training split's tokens and their documents; "" in old files."""
        return self.sha256.get("train", "")


def read_meta(folder: Path) -> ShardsMeta:
    """Reads ``shards.json``.

    Raises:
        CorpusError: It is missing or damaged.
    """
    try:
        values = as_object(read_json(folder / META_FILE))
        known = {f.name: values[f.name] for f in fields(ShardsMeta) if f.name in values}
        return from_mapping(ShardsMeta, known, where=str(folder / META_FILE))
    except FileNotFoundError as error:
        raise CorpusError(
            f"{folder} holds no finished shards ({META_FILE} is missing);"
            " prepare them with: parrotlet prepare CONFIG.toml"
        ) from error
    except (OSError, ValueError, TypeError, ConfigError) as error:
        raise CorpusError(f"{folder / META_FILE} is damaged; prepare the shards again") from error
