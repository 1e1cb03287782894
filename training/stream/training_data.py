"""Opens what a run trains and validates on: shards on disk, or a stream.

Called by ``training/pretrain.py``, which need not know which of them it is.
"""

import contextlib
import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.artifact.tokenizer import CodeTokenizer
from training.autoconfig.sizing import DataShape
from training.command_line import find_config
from training.config import RunConfig
from training.corpus.config import CorpusConfig
from training.corpus_reader import HELDOUT, TRAIN
from training.foundation.atomic_files import file_sha256
from training.foundation.config_schema import load_toml, to_mapping
from training.foundation.errors import ConfigError
from training.prepare import load_tokenizer
from training.processes.collective import fail_together
from training.shards.blocks import BlockReader, TrainingBlocks
from training.shards.shards_meta import ShardsMeta, read_meta
from training.stream.document_log import DocumentLog
from training.stream.heldout_blocks import (
    HELDOUT_FOLDER,
    is_heldout_by_document,
    write_heldout,
)
from training.stream.lane import StreamPlan
from training.stream.lane_order import choose_lanes
from training.stream.stream_files import StreamFiles, list_stream_files, slice_files
from training.stream.streamed_blocks import StepShare, StreamedBlocks
from training.train_tokenizer import TOKENIZER_FILE

# Settings of a stream that change nothing about its blocks.
_FREE = ("workers", "read_ahead_windows", "files", "hub", "data_dir", "data_files", "stages")

# Limits of [balance] that need all documents at once.
_OF_WHOLE_CORPUS = ("max_package_bytes", "max_package_share", "max_test_share")


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What a run trains and validates on, and the vocabulary of both."""

    blocks: TrainingBlocks
    heldout: BlockReader
    tokenizer: CodeTokenizer


def describe_data(config: RunConfig) -> DataShape:
    """Returns the size of vocabulary and blocks, before the data itself is opened.

    Raises:
        CorpusError: There are no shards, and the config streams nothing.
        PrerequisiteError: There is no tokenizer for a stream.
    """
    if config.stream.is_wanted:
        vocabulary = CodeTokenizer.load(_find_tokenizer(config))
        return DataShape(vocab_size=vocabulary.vocab_size, block_tokens=config.shards.block_tokens)
    meta = read_meta(config.paths.shards)
    return DataShape(vocab_size=meta.vocab_size, block_tokens=meta.block_tokens)


@contextlib.contextmanager
def open_data(config: RunConfig, accelerator: Any) -> Iterator[TrainingData]:
    """Opens the shards or the stream of a config; closes the stream's workers at the end.

    All processes must call it together.

    Raises:
        CorpusError: The data is missing or damaged.
        ConfigError: The settings contradict each other.
    """
    if not config.stream.is_wanted:
        shards, distil = config.paths.shards, config.distil
        paths = None if distil.teacher is None else distil.path_prefix
        yield TrainingData(
            blocks=BlockReader(shards, TRAIN, distilled_paths=paths),
            heldout=BlockReader(shards, HELDOUT),
            tokenizer=CodeTokenizer.load(shards / TOKENIZER_FILE),
        )
        return
    data = _open_stream(config, accelerator)
    with contextlib.closing(data.blocks):  # type: ignore[type-var]
        yield data


def _open_stream(config: RunConfig, accelerator: Any) -> TrainingData:
    settings = config.stream
    if config.pretrain.first_block:
        raise ConfigError(
            f"pretrain.first_block is {config.pretrain.first_block}, but a stream begins at its"
            " beginning; remove the setting, or change pretrain.seed for another order"
        )
    if config.distil.teacher is not None:
        raise ConfigError(
            "distil.teacher is set, but only shards say which documents it is for; prepare shards"
            " in place of the stream, or remove the setting"
        )
    vocabulary = load_tokenizer(config)
    files = list_stream_files(settings)
    plan = _plan_stream(config, files)
    if plan.stages.heldout_last_file:
        raise ConfigError(
            f"{settings.stages} sets heldout_last_file, which is about a corpus' own records; set"
            ' stream.heldout_files="last" in its place'
        )
    if accelerator.is_main_process:
        warn_of_ignored_stages(plan.stages, settings.stages)
    meta = _describe_stream(plan, files, config)
    heldout = settings.heldout_shards or config.paths.run / HELDOUT_FOLDER
    with fail_together(accelerator):
        if accelerator.is_main_process and settings.heldout_shards is None:
            write_heldout(config.paths.run, plan, files.heldout, meta=meta, settings=settings)
    if settings.heldout_shards is None:
        by_document = is_heldout_by_document(heldout)
        plan = dataclasses.replace(plan, heldout_by_document=by_document)
    share = StepShare(
        batch_blocks=config.pretrain.batch_blocks,
        index=accelerator.process_index,
        n_processes=accelerator.num_processes,
    )
    blocks = StreamedBlocks(
        plan, share, meta=meta, settings=settings, log=DocumentLog(config.paths.run)
    )
    reader = BlockReader(heldout, HELDOUT)
    _check_heldout(heldout, vocabulary, config)
    return TrainingData(blocks=blocks, heldout=reader, tokenizer=vocabulary)


def warn_of_ignored_stages(stages: CorpusConfig, file: Path) -> None:
    """Says which settings of a corpus have no effect on a stream; a run with them still resumes."""
    names = [name for name in _OF_WHOLE_CORPUS if getattr(stages.balance, name) is not None]
    if names:
        listed = ", ".join(f"balance.{name}" for name in names)
        sys.stderr.write(
            f"{file} sets {listed}, which a stream does not follow; build a corpus for it\n"
        )
    if stages.heldout_share is not None:
        sys.stderr.write(
            f"{file} sets heldout_share, which a stream does not follow; set stream.heldout_share\n"
        )


def _plan_stream(config: RunConfig, files: StreamFiles) -> StreamPlan:
    settings = config.stream
    n_lanes = choose_lanes(config.pretrain.batch_blocks, settings.lanes)
    has_others = files.heldout or settings.heldout_shards is not None
    return StreamPlan(
        slices=tuple(slice_files(files.train, n_lanes)),
        n_lanes=n_lanes,
        seed=config.pretrain.seed,
        tokenizer_file=_find_tokenizer(config),
        shards=config.shards,
        stages=load_toml(CorpusConfig, find_config(settings.stages)),
        heldout_share=0.0 if has_others else settings.heldout_share,
        shuffle_documents=settings.shuffle_documents,
        shuffle_blocks=settings.shuffle_blocks,
        seen_documents=settings.seen_documents,
    )


def _find_tokenizer(config: RunConfig) -> Path:
    return config.tokenizer_folder / TOKENIZER_FILE


def _describe_stream(plan: StreamPlan, files: StreamFiles, config: RunConfig) -> ShardsMeta:
    """Returns the record of a stream, whose hashes say what may not change when a run resumes."""
    settings = {k: v for k, v in to_mapping(config.stream).items() if k not in _FREE}
    settings["lanes"] = plan.n_lanes
    without = ("out", "cache", "processes", "sources")
    stages = {k: v for k, v in to_mapping(plan.stages).items() if k not in without}
    lists = [plan.stages.exclude, plan.stages.quality.table]
    if plan.stages.heldout_list is not None:  # else the hash is that of earlier versions
        lists.append(plan.stages.heldout_list)
    stages["lists"] = [
        file_sha256(file) if file is not None and file.is_file() else None for file in lists
    ]
    stages["record_fields"] = to_mapping(plan.stages.sources.record_fields)
    if plan.stages.sources.private_globs is not None:  # else the hash is that of earlier versions
        stages["private_globs"] = list(plan.stages.sources.private_globs)
    shards = {k: v for k, v in to_mapping(config.shards).items() if k != "processes"}
    tokenizer_sha256 = file_sha256(plan.tokenizer_file)
    corpus_sha256 = _hash([files.sha256, stages])
    return ShardsMeta(
        block_tokens=config.shards.block_tokens,
        vocab_size=plan.tokenizer.vocab_size,
        tokenizer_sha256=tokenizer_sha256,
        corpus_sha256=corpus_sha256,
        shards_config=shards,
        sha256={TRAIN: _hash([corpus_sha256, tokenizer_sha256, shards, settings])},
    )


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _check_heldout(folder: Path, tokenizer: CodeTokenizer, config: RunConfig) -> None:
    """Refuses validation blocks of another vocabulary or length."""
    found = CodeTokenizer.load(folder / TOKENIZER_FILE)
    n_tokens = read_meta(folder).block_tokens
    if found.sha256 != tokenizer.sha256 or n_tokens != config.shards.block_tokens:
        raise ConfigError(
            f"{folder} (stream.heldout_shards) has another tokenizer or blocks of {n_tokens}"
            f" tokens, expected this run's and {config.shards.block_tokens}; prepare it"
            " again with this config"
        )
