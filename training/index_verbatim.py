"""Indexes training text: ``python -m training.index_verbatim MODEL --shards SHARDS``.

Indexes the blocks that training has read and adds the index to the artifact (see
:mod:`training.artifact.verbatim`), so that the server can name the document that a suggestion
repeats. A piece that was split for infilling is indexed part by part, because the model has seen
its parts as continuous text.

``--least-documents 2`` keeps only text that occurs in several documents: a small model memorises
what it has seen often, and the index becomes ten times smaller. ``python -m evaluation.repetition``
measures what that misses.

A model that continues from another keeps the index of that one, joined with that of its own text.

Source: Carlini et al. 2022, "Quantifying Memorization Across Neural Language Models"
(arXiv:2202.07646), on how memorisation grows with repetition.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

import numpy as np
import numpy.typing as npt

from training.artifact.bundled import resolve_artifact
from training.artifact.directory import (
    ARTIFACT_FILES,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    add_file,
    load_artifact,
)
from training.artifact.special_tokens import SPECIAL_TOKENS
from training.artifact.verbatim import GRAM, VERBATIM_FILE, Hashes, VerbatimIndex, gram_hashes
from training.autoconfig.starting_point import fetch_model
from training.foundation.atomic_files import file_sha256, write_bytes_atomically
from training.foundation.command_parser import command_parser, whole_number
from training.foundation.errors import ArtifactError, ConfigError, CorpusError, HubError, run_main
from training.foundation.progress import progress_bar
from training.licensing.attribution import read_document_table
from training.provenance import open_training_data
from training.shards.blocks import BlockReader

DocumentIds = npt.NDArray[np.int32]

_PART_BITS = 4
_COLUMNS = ["package", "path", "licence"]


def main(argv: Sequence[str]) -> int:
    """Builds the index, adds it to the model and prints its size."""
    options = _parser().parse_args(argv)
    shards, reader, span = open_training_data(options.model, options.shards)
    n_blocks = options.blocks or span.first_block + span.n_blocks
    if not n_blocks:
        raise ConfigError(f"{options.model} was not trained; name --blocks")
    read = {reader.find_block(p, seed=span.seed) for p in range(min(n_blocks, len(reader)))}
    table = read_document_table(shards, _COLUMNS)
    hashes, documents = _collect_grams(reader, sorted(read), options.least_documents)
    if documents.size and not 0 <= documents.min() <= documents.max() < len(table):
        raise CorpusError(f"{shards} lacks documents of its blocks; prepare the shards again")
    index = VerbatimIndex.build(hashes, documents.astype(np.int64), table)
    if span.start_from is not None:
        index = join_earlier(index, options.model, Path(span.start_from))
    content = index.to_bytes()
    if options.out is None:
        add_file(options.model, VERBATIM_FILE, content)
    else:
        write_bytes_atomically(options.out, content)
    sys.stdout.write(
        f"{options.out or options.model / VERBATIM_FILE}: {len(index)} grams of {GRAM} tokens"
        f" from {len(read)} blocks, {len(content) / (1 << 20):.1f} MiB\n"
    )
    return 0


def join_earlier(index: VerbatimIndex, model: Path, start_from: Path) -> VerbatimIndex:
    """Returns an index joined with that of the model that training started from.

    Where that is not possible, says so on stderr and returns the index as it is.
    """
    try:
        artifact = load_artifact(_find_earlier(start_from), reads_weights=False)
        earlier = artifact.verbatim
        if earlier is None:
            why = "it has no index"
        elif file_sha256(artifact.path / TOKENIZER_FILE) != file_sha256(model / TOKENIZER_FILE):
            why = "its tokenizer is another"
        else:
            return index.join(earlier)
    except (ArtifactError, HubError) as error:
        why = str(error)
    sys.stderr.write(
        f"not indexed: what only {start_from}, the model that training started from, has read"
        f" ({why})\n"
    )
    return index


def _find_earlier(start_from: Path) -> Path:
    """Returns the folder of the earlier model; one of the Hub is recorded with its commit."""
    if "@" in start_from.name:
        files = ARTIFACT_FILES - {WEIGHTS_FILE} | {VERBATIM_FILE}
        start_from = fetch_model(start_from, sorted(files))
    return resolve_artifact(start_from)


def _collect_grams(
    reader: BlockReader, indices: Sequence[int], least_documents: int
) -> tuple[Hashes, DocumentIds]:
    """Returns the hashes of the grams of some blocks, and the document of each.

    A text that occurs in several documents has another offset in each. So shared grams are found
    among the grams at all offsets, and then only consecutive grams are kept.
    """
    hashes: list[Hashes] = []
    documents: list[DocumentIds] = []
    is_cut: list[npt.NDArray[np.bool_]] = []
    with progress_bar(len(indices), "indexing", "block") as bar:
        for index in indices:
            ids, owners = reader.read_block(index), reader.read_documents(index).astype(np.int32)
            for start, end in split_stretches(ids, owners):
                every = gram_hashes(ids[start:end])
                of_run = every if least_documents > 1 else every[::GRAM]
                hashes.append(of_run)
                documents.append(np.full(len(of_run), owners[start]))
                is_cut.append(np.arange(len(of_run)) % (GRAM if least_documents > 1 else 1) == 0)
            bar.update()
    found, owned = np.concatenate(hashes), np.concatenate(documents)
    kept = np.concatenate(is_cut)
    if least_documents > 1:
        kept &= find_shared(found, owned, least_documents)
    return found[kept], owned[kept]


def find_shared(hashes: Hashes, documents: DocumentIds, least: int) -> npt.NDArray[np.bool_]:
    """Returns for each hash ``[N]`` whether at least ``least`` documents contain it."""
    answer = np.zeros(len(hashes), dtype=bool)
    part_of = hashes >> np.uint64(64 - _PART_BITS)
    for part in range(1 << _PART_BITS):  # sorting part by part saves gigabytes
        at = np.flatnonzero(part_of == np.uint64(part))
        order = at[np.lexsort((documents[at], hashes[at]))]
        sorted_hashes, sorted_documents = hashes[order], documents[order]
        is_first = np.ones(len(order), dtype=bool)
        is_first[1:] = sorted_hashes[1:] != sorted_hashes[:-1]
        is_other = is_first.copy()
        is_other[1:] |= sorted_documents[1:] != sorted_documents[:-1]
        group = np.cumsum(is_first) - 1
        n_documents = np.bincount(group, weights=is_other)
        answer[order] = n_documents[group] >= least
    return answer


def split_stretches(
    ids: npt.NDArray[np.int64], owners: npt.NDArray[np.integer[Any]]
) -> Iterator[tuple[int, int]]:
    """Yields ``(start, end)`` of continuous text of one document that is long enough for a gram."""
    is_text = ids >= len(SPECIAL_TOKENS)
    is_edge = np.ones(len(ids) + 1, dtype=bool)
    is_edge[1:-1] = (owners[1:] != owners[:-1]) | (is_text[1:] != is_text[:-1])
    edges = np.flatnonzero(is_edge)
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if is_text[start] and end - start >= GRAM:
            yield start, end


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "training.index_verbatim",
        "Index the text that a model was trained on and add the index to the model, so that the\n"
        "server can name package, path and licence when a suggestion repeats it.",
        example="{prog} runs/default/run/model --least-documents 2",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a model folder")
    parser.add_argument(
        "--shards",
        type=Path,
        metavar="FOLDER",
        help="the shards it was trained on, if they were moved",
    )
    parser.add_argument(
        "--blocks",
        type=whole_number(1),
        metavar="N",
        help="index the first N blocks of the data order (default: those the model has seen)",
    )
    parser.add_argument(
        "--least-documents",
        type=whole_number(1),
        default=1,
        metavar="N",
        help="keep text that occurs in at least N documents (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the index there and leave the model alone"
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
