"""The folder of a training run: what is written there, and what a run finds on coming back.

config.json      the resolved configuration
metrics.jsonl    a line a step (``training.foundation.progress``)
checkpoints/     to go on from (``training.run.checkpoint``)
outbox/          what waits to be published (``training.publish``)
model/           the finished artifact
"""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor

from training.artifact.bundled import resolve_artifact
from training.artifact.directory import TOKENIZER_FILE, load_artifact, save_artifact
from training.artifact.manifest import Manifest, TrainingRecord
from training.artifact.network.config import GPT2Config
from training.artifact.special_tokens import QUALITY_TOKENS
from training.artifact.tokenizer import CodeTokenizer
from training.attribution import build_model_notice
from training.config import RunConfig
from training.foundation.atomic_files import write_json_atomically
from training.foundation.config_schema import to_mapping
from training.foundation.errors import ConfigError, PrerequisiteError
from training.run.checkpoint import (
    TrainingState,
    checkpoint_path,
    discard_unfinished,
    load_newest_state,
    save_checkpoint,
    write_state,
)
from training.run.git_commit import current_commit
from training.run.model_card import model_card
from training.shards.blocks import BlockReader, shards_hash


@dataclasses.dataclass(frozen=True)
class Reached:
    """How far a run is: finished steps, seconds of training, and the figures of validations."""

    step: int = 0
    seconds: float = 0.0
    evaluation: Mapping[str, float] = dataclasses.field(default_factory=dict)
    best_loss: float | None = None  # of all validations so far


class RunFolder:
    """Writes and finds again everything of one run but its metrics.

    Raises:
        ConfigError: The shards were prepared with another tokenizer than that of the artifact which
            the run starts from.
    """

    def __init__(self, config: RunConfig, reader: BlockReader, tokenizer: CodeTokenizer) -> None:
        self.config = config
        self.path = config.paths.run
        self._reader = reader
        self._tokenizer = tokenizer
        self._check_tokenizer()

    def tokens_seen(self, step: int) -> int:
        """Training tokens after ``step``, those of the artifact it started from included."""
        own = step * self.config.pretrain.batch_blocks * self._reader.block_tokens
        return own + self._start.training.tokens_seen

    def write_config(self) -> None:
        """Writes ``config.json``."""
        write_json_atomically(self.path / "config.json", to_mapping(self.config))

    def newest_state(self) -> TrainingState | None:
        """Returns the newest whole checkpoint, or None if there is none.

        Raises:
            ConfigError: It was made with other data, tokenizer, batch or seed.
        """
        state = load_newest_state(self._checkpoints)
        for key, wanted in self._identity().items():
            if state and key in state.record and state.record[key] not in {wanted, ""}:
                raise ConfigError(
                    f"{self.path} holds a run with another {key}; restore that setting, or choose"
                    " another paths.run"
                )
        return state

    def checkpoint(self, step: int) -> Path:
        """Returns where the checkpoint of a step is, if there is one."""
        return checkpoint_path(self._checkpoints, step)

    @functools.cached_property
    def shape(self) -> GPT2Config:
        """The network's shape: the config's, with the vocabulary and the blocks of the data."""
        return self.config.model.gpt2(
            vocab_size=self._tokenizer.vocab_size, n_positions=self._reader.block_tokens
        )

    def write_state(
        self, tensors: Mapping[str, Tensor], step: int, *, index: int, n_shards: int
    ) -> None:
        """Writes what one process holds of the optimiser's tensors, before the checkpoint is made.

        Raises:
            PrerequisiteError: It cannot be written; the checkpoints are as they were.
        """
        with self._saying_what_to_do(step):
            write_state(self._checkpoints, step, tensors, index=index, n_shards=n_shards)

    def save_checkpoint(
        self, weights: Mapping[str, Tensor], record: Mapping[str, object], at: Reached
    ) -> Path:
        """Makes a checkpoint of what was written and removes those that need not be kept.

        Raises:
            PrerequisiteError: It cannot be written; those before it are as they were.
        """
        settings = self.config.pretrain
        whole = {
            **self._identity(),
            **record,
            "step": at.step,
            "train_seconds": at.seconds,
            "validation_loss": at.evaluation.get("validation_loss"),
            "best_loss": at.best_loss,
        }
        with self._saying_what_to_do(at.step):
            return save_checkpoint(
                self._checkpoints,
                record=whole,
                keep=settings.keep_checkpoints,
                keep_every_steps=settings.keep_every_steps,
                write_artifact=lambda path: self._save_artifact(path, weights, at),
            )

    def save_model(self, weights: Mapping[str, Tensor], at: Reached) -> Path:
        """Writes the finished artifact; returns its folder."""
        self._save_artifact(self.path / "model", weights, at)
        return self.path / "model"

    @contextlib.contextmanager
    def _saying_what_to_do(self, step: int) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            discard_unfinished(self._checkpoints)
            raise PrerequisiteError(
                f"cannot write the checkpoint of step {step} to {self.path} ({error}); the earlier"
                " ones are intact: free some disk space and run the same command again"
            ) from error

    def _save_artifact(self, path: Path, weights: Mapping[str, Tensor], at: Reached) -> None:
        manifest = self._manifest(at)
        n_parameters = sum(weight.numel() for weight in weights.values())
        save_artifact(
            path,
            config=self.shape,
            weights=weights,
            tokenizer=self._tokenizer,
            manifest=manifest,
            card=model_card(self.config, manifest, n_parameters),
            notice=self._notice,
        )

    @property
    def _checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def _identity(self) -> dict[str, object]:
        meta = self._reader.meta
        return {
            "tokenizer_sha256": meta["tokenizer_sha256"],
            "corpus_sha256": meta["corpus_sha256"],
            "shards_sha256": shards_hash(meta),
            "batch_blocks": self.config.pretrain.batch_blocks,
            "seed": self.config.pretrain.seed,
        }

    def _manifest(self, at: Reached) -> Manifest:
        before, meta = self._start.training, self._reader.meta
        return Manifest(
            context_tokens=self._reader.block_tokens,
            quality_tokens=QUALITY_TOKENS if meta.get("has_quality") else (),
            training=TrainingRecord(
                config=to_mapping(self.config),
                commit=current_commit(),
                seed=self.config.pretrain.seed,
                data_hash=str(meta["corpus_sha256"]),
                shards_hash=shards_hash(meta),
                tokens_seen=self.tokens_seen(at.step),
                steps=at.step + before.steps,
                train_seconds=round(at.seconds + before.train_seconds, 1),
            ),
            evaluation=at.evaluation,
        )

    @functools.cached_property
    def _start(self) -> Manifest:
        start = self.config.pretrain.start_from
        if start is None:
            return Manifest(context_tokens=self._reader.block_tokens)
        return load_artifact(start).manifest

    def _check_tokenizer(self) -> None:
        start = self.config.pretrain.start_from
        if start is None:
            return
        wanted = CodeTokenizer.load(resolve_artifact(start) / TOKENIZER_FILE)
        if wanted.sha256 != self._tokenizer.sha256:
            raise ConfigError(
                f"{self.config.paths.shards} was prepared with another tokenizer than {start} has,"
                " and a model knows only its own; prepare the shards again with:"
                f" parrotlet prepare CONFIG pretrain.start_from={start}"
            )

    @functools.cached_property
    def _notice(self) -> str:
        return build_model_notice(self.config.paths.shards, self.config.pretrain.start_from)
