"""Whose text may a model repeat? ``python -m training.index_verbatim MODEL --shards SHARDS``.

Indexes what the model has seen: the blocks of its data order up to the position that training has
reached, and adds the index to the artifact (see :mod:`training.artifact.verbatim`). The server then
tells which document a suggestion repeats. A piece that was split for infilling is indexed part by
part, since its parts are what the model has seen as running text.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from training.artifact.directory import add_file
from training.artifact.errors import ConfigError, run_main
from training.artifact.special_tokens import SPECIAL_TOKENS
from training.artifact.verbatim import GRAM, VERBATIM_FILE, Hashes, VerbatimIndex, gram_hashes
from training.progress import progress_bar
from training.provenance import SPLIT, check_shards, read_manifest, read_walk, shards_of
from training.shards.blocks import BlockReader

_COLUMNS = ["package", "path", "licence"]


def main(argv: Sequence[str]) -> int:
    """Builds the index, adds it to the model and prints its size."""
    parser = argparse.ArgumentParser(prog="python -m training.index_verbatim", description=__doc__)
    parser.add_argument("model", type=Path, help="an artifact directory")
    parser.add_argument("--shards", type=Path, help="the training's shards, if they were moved")
    parser.add_argument(
        "--blocks", type=int, help="seen from the data order's beginning; else as it recorded"
    )
    options = parser.parse_args(argv)
    manifest = read_manifest(options.model)
    shards = options.shards or shards_of(options.model, manifest)
    reader = BlockReader(shards, SPLIT)
    check_shards(options.model, manifest, shards, reader)
    walk = read_walk(options.model, manifest)
    n_blocks = options.blocks or walk.first_block + walk.n_blocks
    if n_blocks < 1:
        raise ConfigError(f"--blocks is {n_blocks}, wanted at least 1")
    read = {reader.shuffled(p, seed=walk.seed) for p in range(min(n_blocks, len(reader)))}
    table = pq.read_table(shards / f"{SPLIT}.documents.parquet", columns=_COLUMNS).to_pylist()
    hashes, documents = _grams(reader, sorted(read))
    index = VerbatimIndex.build(hashes, documents, table)
    content = index.to_bytes()
    add_file(options.model, VERBATIM_FILE, content)
    sys.stdout.write(
        f"{options.model / VERBATIM_FILE}: {len(index)} grams of {GRAM} tokens from {len(read)}"
        f" blocks, {len(content) / (1 << 20):.1f} MiB\n"
    )
    return 0


def _grams(reader: BlockReader, indices: Sequence[int]) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Returns the hashes of all grams of some blocks, and the document each is of."""
    hashes, documents = [], []
    with progress_bar(len(indices), "indexing", "block") as bar:
        for index in indices:
            ids, owners = reader.block(index), reader.documents_of(index).astype(np.int64)
            for start, end in running_text(ids, owners):
                of_run = gram_hashes(ids[start:end])[::GRAM]
                hashes.append(of_run)
                documents.append(np.full(len(of_run), owners[start]))
            bar.update()
    return np.concatenate(hashes), np.concatenate(documents)


def running_text(
    ids: npt.NDArray[np.int64], owners: npt.NDArray[np.int64]
) -> Iterator[tuple[int, int]]:
    """Yields the stretches of running text of one document that are long enough for a gram."""
    is_text = ids >= len(SPECIAL_TOKENS)
    is_edge = np.ones(len(ids) + 1, dtype=bool)
    is_edge[1:-1] = (owners[1:] != owners[:-1]) | (is_text[1:] != is_text[:-1])
    edges = np.flatnonzero(is_edge)
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if is_text[start] and end - start >= GRAM:
            yield start, end


if __name__ == "__main__":
    sys.exit(run_main(main))
