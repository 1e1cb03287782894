"""Which documents a checkpoint has seen: ``python -m training.provenance CHECKPOINT [options]``.

Takes a checkpoint or a finished model, reads from its record which part of the data order it was
trained on, and looks up in the shards which document each of those tokens came from. Training
itself records nothing for this: the order is a pure function of seed and position. Only a stream
leaves nothing behind, so a streamed run records its documents. The weights are never opened, and
nothing is said about what a model has memorised.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

import numpy as np

from training.artifact.directory import TOKENIZER_FILE
from training.artifact.manifest import MANIFEST_FILE, Manifest, TrainingRecord
from training.foundation.atomic_files import file_sha256, write_text_atomically
from training.foundation.command_parser import command_parser
from training.foundation.config_schema import from_mapping
from training.foundation.errors import ArtifactError, ConfigError, CorpusError, run_main
from training.foundation.foreign_text import as_object, read_json, render_json
from training.licensing.attribution import read_document_table
from training.run.checkpoint import STATE_RECORD
from training.shards.blocks import BlockReader, pieces_file
from training.shards.seen_documents import Counts, SeenDocument, SeenDocuments
from training.stream.document_log import count_streamed_documents, find_logs, list_logs_until
from training.stream.lane_order import choose_lanes

SPLIT = "train"
MAX_BLOCKS = 1 << 40  # of a training; each is looked up
SHOWN_DOCUMENTS = 10  # of the most seen, in the summary
_CARRY_OVER = "carry_over"
FREE_SHARDS_KEYS = {"processes", "blocks_per_shard", _CARRY_OVER}  # compared below, or not at all


@dataclass(frozen=True, kw_only=True)
class TrainingSpan:
    """What a run was trained on: ``n_blocks`` positions of the data order from ``first_block``.

    ``start_from`` is the artifact it started from, None for fresh weights; ``earlier_tokens`` is
    the number of tokens that artifact had seen.
    """

    step: int
    first_block: int
    n_blocks: int
    seed: int
    start_from: str | None
    earlier_tokens: int


def main(argv: Sequence[str]) -> int:
    """Prints a summary of what a checkpoint has seen, and writes the list on request."""
    parser = command_parser(
        "training.provenance",
        "List the documents that a checkpoint has seen in training, with package, version,"
        " licence, and how often.",
        example="{prog} runs/default/run/model --out seen.jsonl\n"
        "{prog} runs/default/run/model --package django",
    )
    parser.add_argument(
        "checkpoint",
        type=Path,
        metavar="CHECKPOINT",
        help="RUN/model or RUN/checkpoints/step-N",
    )
    parser.add_argument(
        "--shards",
        type=Path,
        metavar="FOLDER",
        help="the shards it was trained on, or the folder 'documents' of a streamed run, if they"
        " were moved",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write one JSON line for each document seen"
    )
    parser.add_argument("--package", metavar="NAME", help="list only this package's documents")
    options = parser.parse_args(argv)
    span, extent, seen = count_seen(options.checkpoint, options.shards)
    if options.package is not None:
        seen = seen.filter_package(options.package)
    listed = seen.rank()
    if options.out is not None:
        lines = (render_json(asdict(document)) + "\n" for document in listed)
        write_text_atomically(options.out, "".join(lines))
    sys.stdout.write(render_summary(span, extent, seen, listed))
    return 0


def count_seen(checkpoint: Path, data: Path | None) -> tuple[TrainingSpan, str, SeenDocuments]:
    """Returns what a checkpoint was trained on, in words too, and what it has seen of it.

    Args:
        checkpoint: A checkpoint or an artifact.
        data: The shard folder, or the record of a streamed run's documents; None means the one that
            the checkpoint records.

    Raises:
        ArtifactError: The record is missing or damaged.
        ConfigError: The shards are not those it was trained on.
    """
    manifest = read_manifest(checkpoint)
    if not is_streamed(manifest):
        shards, reader, span = open_training_data(checkpoint, data)
        seen = count_seen_documents(shards, reader, count_readings(reader, span))
        passes = span.n_blocks / len(reader)
        return span, f"{passes:.3f} passes over {len(reader)} blocks", seen
    span = read_span(checkpoint, manifest)
    paths = _read_config_table(checkpoint, manifest, "paths")
    pretrain = _read_config_table(checkpoint, manifest, "pretrain")
    lanes = _read_config_table(checkpoint, manifest, "stream").get("lanes")
    try:
        batch_blocks = int(pretrain["batch_blocks"])
        n_lanes = choose_lanes(batch_blocks, int(lanes or 0))
    except (ValueError, TypeError, KeyError) as error:
        raise ArtifactError(
            f"{checkpoint} does not record how it was streamed ({error}); copy the folder again"
        ) from error
    if data is None:
        logs = find_logs(checkpoint, span.step, run=Path(str(paths.get("run"))))
    else:
        logs = list_logs_until(data, span.step)
    if span.step and not logs:
        raise CorpusError(
            f"{data or checkpoint} does not say which documents the run has read; name the folder"
            " 'documents' of the run with --shards"
        )
    seen = count_streamed_documents(logs, n_lane_blocks=span.step * batch_blocks // n_lanes)
    return span, f"{span.n_blocks} blocks of a stream", seen


def is_streamed(manifest: Manifest) -> bool:
    """Says whether a model was trained on a stream instead of shards."""
    stream = manifest.training.config.get("stream")
    return isinstance(stream, Mapping) and bool(stream.get("files") or stream.get("hub"))


def open_training_data(
    checkpoint: Path, shards: Path | None
) -> tuple[Path, BlockReader, TrainingSpan]:
    """Opens the shards that a checkpoint was trained on, and says which part it has seen.

    A stream leaves no shards behind. Others that hold its data may be named; all of their blocks
    count as seen.

    Args:
        checkpoint: A checkpoint or an artifact.
        shards: The shard folder; None means the one that the checkpoint records.

    Raises:
        ArtifactError: The record is missing or damaged.
        ConfigError: The shards are not those it was trained on, or none are named for a stream.
    """
    manifest = read_manifest(checkpoint)
    if is_streamed(manifest) and shards is None:
        raise ConfigError(
            f"{checkpoint} was trained on a stream, of which no shards are left; prepare shards of"
            " its data with its tokenizer, and name them with --shards"
        )
    shards = shards or find_shards(checkpoint, manifest)
    reader = BlockReader(shards, SPLIT)
    check_shards(checkpoint, manifest, shards, reader)
    span = read_span(checkpoint, manifest)
    if is_streamed(manifest):
        span = replace(span, first_block=0, n_blocks=len(reader))
    return shards, reader, span


def read_manifest(checkpoint: Path) -> Manifest:
    """Reads a checkpoint's record without its weights.

    Raises:
        ArtifactError: It is missing or damaged.
    """
    path = checkpoint / MANIFEST_FILE
    try:
        return from_mapping(Manifest, as_object(read_json(path, allow_nan=True)), where=str(path))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactError(
            f"{checkpoint} is not a checkpoint ({MANIFEST_FILE} is missing);"
            " name RUN/model or RUN/checkpoints/step-N"
        ) from error
    except (OSError, ValueError, AttributeError, TypeError, ConfigError) as error:
        raise ArtifactError(f"cannot read {path} ({error}); copy the folder again") from error


def find_shards(checkpoint: Path, manifest: Manifest) -> Path:
    """Returns the shard folder that the checkpoint records.

    Raises:
        ArtifactError: It records none.
    """
    recorded = _read_config_table(checkpoint, manifest, "paths").get("shards")
    if not isinstance(recorded, str) or "\0" in recorded:
        raise ArtifactError(f"{checkpoint} does not record its shards; name them with --shards")
    return Path(recorded)


def read_span(checkpoint: Path, manifest: Manifest) -> TrainingSpan:
    """Reads which part of the data order a checkpoint has seen.

    An artifact records the sum of steps over all artifacts that it was continued from, and its own.
    Those of earlier versions lack the latter: then a checkpoint's training state has them, and a
    finished model's are those of its config.

    Raises:
        ArtifactError: The record is incomplete.
    """
    pretrain = _read_config_table(checkpoint, manifest, "pretrain")
    record = manifest.training
    try:
        start = pretrain["start_from"]
        step = _read_own_steps(checkpoint, record)
        n_blocks = step * int(pretrain["batch_blocks"])
        span = TrainingSpan(
            step=step,
            first_block=int(pretrain["first_block"]),
            n_blocks=n_blocks,
            seed=int(pretrain["seed"]),
            start_from=start,
            earlier_tokens=record.tokens_seen - n_blocks * manifest.context_tokens,
        )
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ArtifactError(
            f"{checkpoint} does not record how it was trained ({error}); copy the folder again"
        ) from error
    is_plausible = 0 <= n_blocks < MAX_BLOCKS and 0 <= span.first_block < MAX_BLOCKS
    if not is_plausible or not 0 <= span.seed < 1 << 63:
        raise ArtifactError(
            f"{checkpoint} records an impossible training ({step} steps, {n_blocks} blocks from"
            f" {span.first_block}, seed {span.seed}); copy the folder again"
        )
    if span.earlier_tokens < 0 or (start is None and span.earlier_tokens):
        advice = "copy the folder again"
        if start is not None and record.own_steps is None:
            advice += ", or name a checkpoint of its run if it is an average or was published"
        raise ArtifactError(
            f"{checkpoint} records {record.tokens_seen} tokens seen, but its steps amount to"
            f" {n_blocks * manifest.context_tokens}; {advice}"
        )
    return span


def _read_own_steps(checkpoint: Path, record: TrainingRecord) -> int:
    """Returns the steps of the last training of an artifact alone."""
    if record.own_steps is not None:
        return record.own_steps
    state, pretrain = checkpoint / STATE_RECORD, record.config["pretrain"]
    if state.exists():
        return int(as_object(read_json(state, allow_nan=True))["step"])
    return int(record.steps if pretrain["start_from"] is None else pretrain["steps"])


def check_shards(checkpoint: Path, manifest: Manifest, shards: Path, reader: BlockReader) -> None:
    """Refuses shards that the checkpoint was not trained on, or, of a stream, could not be.

    Raises:
        ConfigError: Corpus, tokenizer or preparation differ; for a stream, tokenizer or block size.
    """
    config, meta = _read_config_table(checkpoint, manifest, "shards"), reader.meta
    hashes = {manifest.training.shards_hash, meta.content_sha256} - {""}  # old ones have none
    prepared = meta.shards_config
    is_as_recorded = manifest.training.shards_hash == meta.content_sha256
    differences = {
        "tokenizer": manifest.sha256.get(TOKENIZER_FILE) != file_sha256(shards / TOKENIZER_FILE),
        "block size": manifest.context_tokens != reader.block_tokens,
    }
    if not is_streamed(manifest):
        differences |= {
            "corpus": manifest.training.data_hash != meta.corpus_sha256,
            **{
                f"shards.{key}": config.get(key) != prepared.get(key)
                for key in sorted((config.keys() | prepared.keys()) - FREE_SHARDS_KEYS)
            },
            # Earlier versions knew no such setting and carried nothing over.
            "shards.carry_over": not is_as_recorded
            and config.get(_CARRY_OVER, False) != prepared.get(_CARRY_OVER, False),
            "content": len(hashes) > 1,
        }
    for what, is_other in differences.items():
        if is_other:
            raise ConfigError(
                f"{shards} has another {what} than the shards {checkpoint} was trained on;"
                " name those with --shards, or prepare them again with its config"
            )


def count_readings(reader: BlockReader, span: TrainingSpan) -> Counts:
    """Returns how often each block was read, ``[blocks]``."""
    positions = range(span.first_block, span.first_block + span.n_blocks)
    read = (reader.find_block(position, seed=span.seed) for position in positions)
    indices = np.fromiter(read, dtype=np.int64, count=span.n_blocks)
    return np.bincount(indices, minlength=len(reader)).astype(np.int64)


def count_seen_documents(shards: Path, reader: BlockReader, readings: Counts) -> SeenDocuments:
    """Counts what was seen of each document, from the readings of blocks ``[blocks]``.

    A piece never crosses a block boundary, so all its tokens were read as often as its block.

    Raises:
        CorpusError: The table of documents is missing or does not fit the shards.
    """
    documents = read_document_table(shards)
    n, n_tokens = len(documents), reader.block_tokens
    times, tokens, tokens_a_pass = (np.zeros(n, dtype=np.int64) for _ in range(3))
    first_row = 0
    for number, n_rows in enumerate(reader.meta.shard_blocks[SPLIT]):
        pieces = np.load(pieces_file(shards, SPLIT, number), allow_pickle=False)
        owners = pieces["document"].astype(np.int64)
        if owners.min() < 0 or owners.max() >= n:
            raise CorpusError(f"{shards} lacks documents of its blocks; prepare the shards again")
        lengths = np.diff(pieces["first_token"], append=n_rows * n_tokens)
        rows = pieces["first_token"] // n_tokens
        of_shard = readings[first_row : first_row + n_rows]
        tokens_a_pass += _sum_by_owner(owners, lengths, n)
        tokens += _sum_by_owner(owners, lengths * of_shard[rows], n)
        pair_owners, pair_rows = np.divmod(np.unique(owners * n_rows + rows), n_rows)
        times += _sum_by_owner(pair_owners, of_shard[pair_rows], n)
        first_row += n_rows
    return SeenDocuments(
        documents=documents, times=times, tokens=tokens, tokens_a_pass=tokens_a_pass
    )


def render_summary(
    span: TrainingSpan, extent: str, seen: SeenDocuments, listed: Sequence[SeenDocument]
) -> str:
    """Returns a few lines about what was seen: in total, by licence, and most often."""
    end, n_tokens = span.first_block + span.n_blocks, int(seen.tokens.sum())
    lines = [
        f"up to step {span.step}: {extent}, positions {span.first_block} to {end}",
        f"documents seen: {len(listed)} of {len(seen.documents)}, {n_tokens} tokens",
    ]
    if span.start_from is not None:
        lines.append(
            f"it continued from {span.start_from}: the documents of the {span.earlier_tokens}"
            " tokens seen before are not in this list; run this command on that model too"
        )
    licences: dict[str, list[int]] = {}
    for document in listed:
        licences.setdefault(document.licence, []).append(document.tokens)
    lines += ["by licence:"] * bool(listed)
    for licence, tokens in sorted(licences.items(), key=lambda item: -sum(item[1])):
        lines.append(f"  {sum(tokens):>11} tokens  {len(tokens):>6} documents  {licence}")
    lines += ["most seen:"] * bool(listed)
    for document in listed[:SHOWN_DOCUMENTS]:
        name = f"{document.package} {document.version} {document.path}"
        lines.append(
            f"  {document.tokens:>11} tokens  {document.times:>6} times"
            f"  {document.tokens / document.tokens_a_pass:.3f} passes  {name}"
            f" ({document.licence})"
        )
    return "\n".join(lines) + "\n"


def _read_config_table(checkpoint: Path, manifest: Manifest, table: str) -> Mapping[str, Any]:
    value = manifest.training.config.get(table)
    if not isinstance(value, Mapping):
        raise ArtifactError(
            f"{checkpoint} does not record how it was trained (no '{table}' in its manifest);"
            " name a model that parrotlet pretrain wrote"
        )
    return value


def _sum_by_owner(owners: Counts, values: Counts, n: int) -> Counts:
    """Sums ``values`` by owner ``[n]``; exact, because float64 holds any count of tokens."""
    return np.bincount(owners, weights=values, minlength=n).astype(np.int64)


if __name__ == "__main__":
    sys.exit(run_main(main))
