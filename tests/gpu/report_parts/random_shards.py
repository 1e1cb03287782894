"""Shards of random tokens in random documents: for speeds, which do not depend on what they say."""

import json

import numpy as np

from training.shards.blocks import PIECE_DTYPE, ShardWriter

SHORTEST, LONGEST = 16, 3000  # tokens of a document; half have fewer than two hundred


def write_random_shards(folder, config, *, n_blocks, seed=0):
    """Writes a training split in a config's vocabulary and block length; returns the folder."""
    chance = np.random.default_rng(seed)
    vocab_size, block_tokens = config.tokenizer.vocab_size, config.shards.block_tokens
    n_tokens = n_blocks * block_tokens
    writer = ShardWriter(
        folder,
        "train",
        block_tokens=block_tokens,
        blocks_per_shard=config.shards.blocks_per_shard,
        vocab_size=vocab_size,
    )
    ids = (vocab_size * chance.random(n_tokens) ** 3).astype(np.int64)  # frequent ones first
    lengths = np.exp(chance.uniform(np.log(SHORTEST), np.log(LONGEST), n_tokens // SHORTEST))
    edges = np.concatenate([[0], np.cumsum(lengths.astype(np.int64))])
    edges = edges[edges < n_tokens]
    pieces = np.zeros(len(edges), PIECE_DTYPE)
    pieces["first_token"], pieces["document"] = edges, np.arange(len(edges))
    pieces["is_fim"] = chance.random(len(edges)) < 0.5
    writer.add(ids, pieces)
    writer.flush()
    meta = {
        "block_tokens": block_tokens,
        "vocab_size": vocab_size,
        "shard_blocks": {"train": list(writer.shard_blocks)},
    }
    (folder / "shards.json").write_text(json.dumps(meta))
    return folder
