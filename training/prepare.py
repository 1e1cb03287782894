"""Documents to shards: ``python -m training.prepare CONFIG.toml [key=value ...]``.

Encodes the corpus, splits pieces for infilling at the configured rate, packs them into fixed-length
blocks and writes the shard folder (see ``training.shards.blocks``), including the corpus report
with token counts. Only training documents are split for infilling; held-out ones stay left to
right, so that validation measures plain language modelling. Row groups are encoded in parallel into
files beside the shard folder, from which an interrupted run resumes, and are written in order. So
the output depends only on corpus, tokenizer and config, not on processes or interruptions.
"""

import dataclasses
import functools
import hashlib
import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path

from training.foundation.extras import require_extra

if __name__ == "__main__":
    require_extra("train")  # before the imports that need it

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training.artifact import fim, tokenizer, word_cache
from training.artifact.fim import FimLayout
from training.artifact.tokenizer import CodeTokenizer
from training.autoconfig.starting_point import fetch_starting_point
from training.command_line import config_parser, parse_config
from training.config import RunConfig, ShardsConfig
from training.corpus.output.corpus_page import render_corpus_page
from training.corpus.output.corpus_report import CorpusReport, read_report
from training.corpus.output.published_corpus import fetch_corpus
from training.corpus_reader import list_row_groups, read_corpus_hash
from training.foundation.atomic_files import (
    FolderContents,
    check_replaceable,
    file_sha256,
    write_directory_atomically,
    write_json_atomically,
    write_text_atomically,
)
from training.foundation.config_schema import to_mapping
from training.foundation.errors import ConfigError, CorpusError, PrerequisiteError, run_main
from training.foundation.folder_lock import folder_lock
from training.foundation.parallel.worker_pool import work_folder, worker_pool
from training.foundation.progress import progress_bar
from training.shards import encoding, middles, packing
from training.shards.blocks import ShardWriter
from training.shards.carry_over import CarryOver, PackedTokens, cut_blocks
from training.shards.encoding import DOCUMENT_COLUMNS, EncodedGroup, encode_to_file
from training.shards.shards_meta import META_FILE, DroppedDocuments, ShardsMeta
from training.train_tokenizer import TOKENIZER_FILE

SPLITS = ("train", "heldout")
_PURPOSE = """\
Tokenize a corpus into shards: fixed-length blocks of tokens, some of them laid out for infilling.

Writes to paths.shards. The tokenizer is the one in paths.tokenizer (a model folder will do), or
that of the model which pretrain.start_from names ('bundled' comes with Parrotlet)."""
_EXAMPLE = """\
{prog} training/configs/debug.toml
{prog} training/configs/default.toml pretrain.start_from=bundled"""
PAGE_FILE = "report.html"
SHARDS_FOLDER = FolderContents(
    mark=META_FILE,
    files=frozenset(
        {
            META_FILE,
            PAGE_FILE,
            TOKENIZER_FILE,
            "*-[0-9]*.tokens.npy",
            "*-[0-9]*.pieces.npy",
            "*.documents.parquet",
        }
    ),
)
MAX_EXAMPLES = 20
_ENCODING_MODULES = (encoding, packing, middles, fim, tokenizer, word_cache)


@dataclasses.dataclass(kw_only=True)
class PreparedSplit:
    """The result of preparing one split.

    ``has_quality`` says whether any document has a quality token. The counters count the tokens in
    blocks; ``n_tokens`` includes those cut off because they do not fill a block.
    """

    shard_blocks: list[int]
    sha256: str = ""
    n_documents: int = 0
    n_tokens: int = 0
    has_quality: bool = False
    package_tokens: Counter[str] = dataclasses.field(default_factory=Counter)
    licence_tokens: Counter[str] = dataclasses.field(default_factory=Counter)
    dropped: list[str] = dataclasses.field(default_factory=list)


def main(argv: Sequence[str]) -> int:
    """Prepares both splits and writes the shard folder atomically."""
    parser = config_parser(
        "training.prepare", _PURPOSE, example=_EXAMPLE, described="training/config.py"
    )
    config, _ = parse_config(RunConfig, parser, argv)
    config = fetch_starting_point(config)
    vocabulary = load_tokenizer(config)
    config = fetch_corpus(config)
    check_replaceable(config.paths.shards, SHARDS_FOLDER, key="paths.shards")
    with folder_lock(config.paths.shards, beside=True):
        _prepare(config, vocabulary)
    return 0


def load_tokenizer(config: RunConfig) -> CodeTokenizer:
    """Returns the run's tokenizer: that of the artifact it starts from, or the trained one.

    Raises:
        PrerequisiteError: The tokenizer has not been trained, or lacks special tokens.
        ConfigError: The artifact's context differs from the config's.
    """
    start, file = config.pretrain.start_from, config.tokenizer_folder / TOKENIZER_FILE
    if start is None and not file.is_file():
        raise PrerequisiteError(
            f"there is no {file}; train it with: parrotlet tokenizer CONFIG, or let"
            " paths.tokenizer name a model whose tokenizer to use"
        )
    if start is None:
        tokenizer = CodeTokenizer.load(file)
        FimLayout.of(tokenizer)  # refused here rather than in the processes that encode
        return tokenizer
    # Imports PyTorch, for which every other run, and each worker process, would wait a second.
    from training.artifact.directory import load_artifact  # noqa: PLC0415

    artifact = load_artifact(start)
    if artifact.context_tokens != config.shards.block_tokens:
        raise ConfigError(
            f"{start} (pretrain.start_from) has a context of {artifact.context_tokens} tokens, but"
            f" shards.block_tokens is {config.shards.block_tokens}; set it to"
            f" {artifact.context_tokens}"
        )
    sys.stderr.write(f"tokenizer: that of {start} (pretrain.start_from)\n")
    return artifact.tokenizer


def _prepare(config: RunConfig, vocabulary: CodeTokenizer) -> None:
    started = time.monotonic()
    inputs = ShardsMeta(
        block_tokens=config.shards.block_tokens,
        vocab_size=vocabulary.vocab_size,
        tokenizer_sha256=file_sha256(config.tokenizer_folder / TOKENIZER_FILE),
        corpus_sha256=read_corpus_hash(config.paths.corpus),
        shards_config={k: v for k, v in to_mapping(config.shards).items() if k != "processes"},
    )
    report = read_report(config.paths.corpus)
    work = work_folder(config.paths.shards, _hash_inputs(inputs, config.paths.corpus))
    folder = config.paths.shards
    with write_directory_atomically(folder, SHARDS_FOLDER, key="paths.shards") as aside:
        with worker_pool(config.shards.processes) as pool:
            found = {
                split: prepare_split(config, split, vocabulary, pool, folder=aside, work=work)
                for split in SPLITS
            }
        _check_blocks(found, config)
        vocabulary.save(aside / TOKENIZER_FILE)
        write_text_atomically(aside / PAGE_FILE, _render_page(report, found))
        write_json_atomically(aside / META_FILE, to_mapping(_add_totals(inputs, found)))
    shutil.rmtree(work, ignore_errors=True)
    counts = ", ".join(
        f"{split} {sum(f.shard_blocks)} blocks of {config.shards.block_tokens}"
        for split, f in found.items()
    )
    n_dropped = sum(len(f.dropped) for f in found.values())
    sys.stdout.write(
        f"{config.paths.shards}: {counts}; {n_dropped} documents dropped (fewer than"
        f" {config.shards.min_characters_per_token} characters per token);"
        f" {time.monotonic() - started:.0f} s\n"
    )


def _check_blocks(found: dict[str, PreparedSplit], config: RunConfig) -> None:
    """Refuses a corpus that is too small for training or validation.

    Raises:
        CorpusError: A split does not fill a block.
    """
    for split, prepared in found.items():
        if not prepared.shard_blocks:
            raise CorpusError(
                f"the {split} documents of {config.paths.corpus} have {prepared.n_tokens} tokens,"
                f" which do not fill a block of {config.shards.block_tokens}; add sources,"
                " lower shards.block_tokens, or raise the corpus's heldout_share"
            )


def _hash_inputs(inputs: ShardsMeta, corpus: Path) -> str:
    """Returns a hash over everything that encoded row groups depend on, including our code.

    A corpus with the same texts may have others of the rest, such as levels of quality.
    """
    code = [file_sha256(Path(str(module.__file__))) for module in _ENCODING_MODULES]
    files = {group.path: None for split in SPLITS for group in list_row_groups(corpus, split)}
    data = [file_sha256(path) for path in files]
    return hashlib.sha256(
        json.dumps([to_mapping(inputs), code, data], sort_keys=True).encode()
    ).hexdigest()


def _add_totals(inputs: ShardsMeta, found: dict[str, PreparedSplit]) -> ShardsMeta:
    drops = {
        split: DroppedDocuments(documents=len(f.dropped), examples=tuple(f.dropped[:MAX_EXAMPLES]))
        for split, f in found.items()
    }
    return dataclasses.replace(
        inputs,
        sha256={split: f.sha256 for split, f in found.items()},
        shard_blocks={split: tuple(f.shard_blocks) for split, f in found.items()},
        documents={split: f.n_documents for split, f in found.items()},
        tokens={split: f.n_tokens for split, f in found.items()},
        has_quality=any(f.has_quality for f in found.values()),
        drops={"few characters per token": drops},
    )


def _render_page(report: CorpusReport, found: dict[str, PreparedSplit]) -> str:
    packages, licences = Counter[str](), Counter[str]()
    for split in found.values():
        packages += split.package_tokens
        licences += split.licence_tokens
    tokens = {
        "split": {split: f.package_tokens.total() for split, f in found.items()},
        "licence": licences,
        "package": packages,
    }
    return render_corpus_page(report, tokens)


def _count_tokens(
    found: PreparedSplit, packed: PackedTokens, owners: Mapping[int, Mapping[str, str]]
) -> None:
    lengths = np.diff(packed.pieces["first_token"], append=packed.tokens.size)
    for owner, n_tokens in zip(packed.pieces["document"].tolist(), lengths.tolist(), strict=True):
        document = owners[owner]
        found.package_tokens[document["package"]] += n_tokens
        found.licence_tokens[document["licence"]] += n_tokens


def prepare_split(
    config: RunConfig,
    split: str,
    tokenizer: CodeTokenizer,
    pool: Executor,
    *,
    folder: Path,
    work: Path,
) -> PreparedSplit:
    """Writes one split's shards and document table to ``folder``."""
    shards = config.shards
    if split != "train":
        shards = dataclasses.replace(shards, fim=dataclasses.replace(shards.fim, rate=0.0))
    writer = ShardWriter(
        folder,
        split,
        block_tokens=shards.block_tokens,
        blocks_per_shard=shards.blocks_per_shard,
        vocab_size=tokenizer.vocab_size,
    )
    carry_over = CarryOver(shards.block_tokens, tokenizer) if shards.carry_over else None
    owners: dict[int, Mapping[str, str]] = {}  # of the pieces that are not in a block yet
    found = PreparedSplit(shard_blocks=writer.shard_blocks)
    schema = pa.schema([(column, pa.string()) for column in DOCUMENT_COLUMNS])
    with pq.ParquetWriter(folder / f"{split}.documents.parquet", schema) as table:
        for group in encode_groups(config, split, shards, work, pool):
            owners |= enumerate(group.documents, start=found.n_documents)
            group.pieces["document"] += found.n_documents
            whole, rest = cut_blocks(group.tokens, group.pieces, shards.block_tokens)
            for packed in (whole, *(carry_over.add(rest) if carry_over else ())):
                writer.add(packed.tokens, packed.pieces)
                _count_tokens(found, packed, owners)
            waiting = carry_over.waiting_documents if carry_over else ()
            owners = {document: owners[document] for document in waiting}
            table.write_table(pa.Table.from_pylist(group.documents, schema=schema))
            found.n_documents += len(group.documents)
            found.n_tokens += group.tokens.size
            found.dropped += group.dropped
            found.has_quality |= any(document["quality"] for document in group.documents)
    writer.flush()
    found.sha256 = writer.sha256
    return found


def encode_groups(
    config: RunConfig, split: str, shards: ShardsConfig, work: Path, pool: Executor
) -> Iterator[EncodedGroup]:
    """Encodes a split's row groups in parallel and yields them in order."""
    groups = list_row_groups(config.paths.corpus, split)
    files = [work / f"{split}-{number:05d}.npz" for number in range(len(groups))]
    encode = functools.partial(
        encode_to_file, tokenizer_file=config.tokenizer_folder / TOKENIZER_FILE, shards=shards
    )
    with progress_bar(len(groups), f"preparing {split}", "group") as bar:
        for _, file in zip(pool.map(encode, groups, files), files, strict=True):
            group = EncodedGroup.load(file)
            if group is None:
                raise CorpusError(f"cannot read {file}; run the same command again")
            yield group
            bar.update()


if __name__ == "__main__":
    sys.exit(run_main(main))
