"""Counts what a corpus is made of.

Run: ``python tests/benchmarks/training/corpus_shares.py SHARDS PACKAGES.toml``.

Counts the training tokens of prepared shards by the kinds of a list of packages, by package, and of
tests; packages that the list does not name are of the kind "other".
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from packaging.utils import canonicalize_name

from training.corpus.fetching.lock_resolver import PackageList, map_kinds
from training.corpus.filters.sampling_weights import is_test
from training.foundation.config_schema import load_toml
from training.shards.blocks import BlockReader, pieces_file, tokens_file

LARGEST = 10


def main(argv: list[str]) -> None:
    shards, kinds = Path(argv[0]), map_kinds(load_toml(PackageList, Path(argv[1])))
    documents = pq.read_table(shards / "train.documents.parquet", columns=["package", "path"])
    tokens = tokens_of_documents(shards, documents.num_rows)
    by_package: Counter[str] = Counter()
    by_kind: Counter[str] = Counter()
    n_tests = 0
    for row, n_tokens in zip(documents.to_pylist(), tokens.tolist(), strict=True):
        package = str(canonicalize_name(row["package"]))
        by_package[package] += n_tokens
        by_kind[kinds.get(package, "other")] += n_tokens
        n_tests += n_tokens * is_test(row["path"])
    total = int(tokens.sum())
    print(f"{total / 1e6:.1f}M tokens, {len(by_package)} packages, tests {n_tests / total:.2%}")
    sizes = Counter(kinds.get(package, "other") for package in by_package)
    for kind, n_tokens in by_kind.most_common():
        print(f"| {kind} | {sizes[kind]} | {n_tokens / 1e6:.1f} | {n_tokens / total:.1%} |")
    print(", ".join(f"{p} {n / total:.2%}" for p, n in by_package.most_common(LARGEST)))


def tokens_of_documents(shards: Path, n_documents: int) -> np.ndarray:
    found = np.zeros(n_documents, np.int64)
    for number in range(len(BlockReader(shards, "train").meta.shard_blocks["train"])):
        pieces = np.load(pieces_file(shards, "train", number))
        n_tokens = np.load(tokens_file(shards, "train", number), mmap_mode="r").size
        lengths = np.diff(pieces["first_token"], append=n_tokens)
        np.add.at(found, pieces["document"], lengths)
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
