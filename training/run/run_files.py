"""The folder of a training run: what is written there, and what a resumed run finds.

config.json      the resolved configuration
metrics.jsonl    one line per step (``training.run.run_log``)
checkpoints/     to resume from (``training.run.checkpoint``)
documents/       what a streamed run has read (``training.stream.document_log``)
stream.json      how far it has read, and what was dropped
heldout/         what it validates on (``training.stream.heldout_blocks``)
process-N.log    what each process logs (``training.run.tracking``)
tracking.json    what trackers call the run
outbox/          what waits to be published (``training.publish``)
model/           the finished artifact
"""

import contextlib
import dataclasses
import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from training.artifact.bundled import resolve_artifact
from training.artifact.directory import (
    ARTIFACT_FOLDER,
    TOKENIZER_FILE,
    load_artifact,
    read_network_config,
    save_artifact,
)
from training.artifact.extras.carry_extras import keep_extras
from training.artifact.manifest import FimTokens, Manifest, TrainingRecord
from training.artifact.network.config import GPT2Config, list_differences
from training.artifact.special_tokens import QUALITY_TOKENS
from training.artifact.tokenizer import CodeTokenizer
from training.config import RunConfig
from training.foundation.atomic_files import (
    check_replaceable,
    discard_asides,
    write_json_atomically,
)
from training.foundation.config_schema import to_mapping
from training.foundation.errors import ArtifactError, ConfigError, PrerequisiteError
from training.foundation.folder_lock import LOCK_FILE
from training.foundation.git_commit import read_commit
from training.licensing.attribution import build_model_notice, choose_model_licence
from training.run.checkpoint import (
    CheckpointRecord,
    RunIdentity,
    TrainingState,
    check_same_start,
    checkpoint_path,
    discard_unfinished,
    import_checkpoint,
    load_newest_state,
    save_checkpoint,
    staging_path,
    write_state,
)
from training.run.model_card import render_model_card, render_run_config
from training.run.run_metrics import METRICS_FILE
from training.run.trainer_state import TrainerState
from training.shards.blocks import TrainingBlocks
from training.step.loss_scale import LossScaleState

_MODEL_FOLDER = "model"
# Written before the metrics, or by other processes of the same run.
_WITHOUT_METRICS = re.compile(
    r"logs|checkpoints|outbox|documents|heldout|tracking\.json|wandb|mlruns|process-\d+\.log"
)


def check_run_folder(path: Path) -> None:
    """Refuses a folder that is not a run's, before anything in it is overwritten.

    A run's folder is new, or has ``metrics.jsonl``, which a run writes first.

    Raises:
        ConfigError: It is something else (a model, or a home folder), or the finished model would
            replace something else.
    """
    if os.path.lexists(path) and not path.is_dir():
        raise ConfigError(f"paths.run is {path}, which is a file; choose a folder")
    check_replaceable(path / _MODEL_FOLDER, ARTIFACT_FOLDER, key="the model's folder")
    if not path.is_dir() or (path / METRICS_FILE).is_file():
        return
    names = {p.name for p in path.iterdir()} - {LOCK_FILE}
    foreign = sorted(name for name in names if not _WITHOUT_METRICS.fullmatch(name))
    if foreign:
        raise ConfigError(
            f"paths.run is {path}, which holds something else ({foreign[0]}, but no"
            f" {METRICS_FILE}); choose a new or empty folder"
        )


class RunFiles:
    """Writes and finds everything in a run's folder except its metrics.

    Raises:
        ConfigError: The run starts from an artifact, and the shards were prepared with another
            tokenizer than that artifact's.
    """

    def __init__(self, config: RunConfig, reader: TrainingBlocks, tokenizer: CodeTokenizer) -> None:
        self.config = config
        self.path = config.paths.run
        self._reader = reader
        self._tokenizer = tokenizer
        self._check_tokenizer()

    @functools.cached_property
    def model_config(self) -> GPT2Config:
        """The config's network, with the vocabulary and the block length of the data."""
        return self.config.model.gpt2(
            vocab_size=self._tokenizer.vocab_size, n_positions=self._reader.block_tokens
        )

    def count_tokens(self, step: int) -> int:
        """Returns the training tokens after ``step``, those of ``start_from`` included."""
        own = step * self.config.pretrain.batch_blocks * self._reader.block_tokens
        return own + self._start.training.tokens_seen

    def write_config(self) -> None:
        """Writes ``config.json``."""
        write_json_atomically(self.path / "config.json", to_mapping(self.config))

    def discard_unfinished(self) -> None:
        """Removes what a killed process has left of a checkpoint or of the finished model."""
        discard_unfinished(self._checkpoints)
        discard_asides(self.path, re.compile(_MODEL_FOLDER))

    def adopt_checkpoint(self) -> None:
        """Copies the checkpoint of ``pretrain.resume_from`` into a run without one of its own.

        Raises:
            PrerequisiteError: There is none, or it is damaged, or it is unknown what it has read.
        """
        source = self.config.pretrain.resume_from
        if source is not None:
            import_checkpoint(
                resolve_artifact(source), self._checkpoints, self._reader.import_record
            )

    def load_newest_state(self) -> TrainingState | None:
        """Returns the newest intact checkpoint, or None if there is none.

        Raises:
            ConfigError: It was made with other data, tokenizer, batch or seed, or started from
                another model.
        """
        state = load_newest_state(self._checkpoints)
        if state is None:
            return None
        self._check_network(self.checkpoint_path(state.record.step))
        for key, expected in dataclasses.asdict(self._identity()).items():
            if getattr(state.record, key) not in {expected, "", None}:
                raise ConfigError(
                    f"{self.path} holds a run with another {key}; restore that setting, or choose"
                    " another paths.run"
                )
        self._check_start(state.record)
        return state

    def _check_start(self, record: CheckpointRecord) -> None:
        """Refuses a checkpoint of a training that started elsewhere."""
        path = self.checkpoint_path(record.step)
        try:
            found = load_artifact(path, reads_weights=False).manifest.training
        except ArtifactError:
            return  # what resumes is intact
        at = TrainerState(step=record.step, train_seconds=record.train_seconds)
        check_same_start(self.path, found, self._manifest(at).training)

    def _check_network(self, checkpoint: Path) -> None:
        """Refuses a checkpoint of another network; heads leave no trace in the weights' shapes."""
        differences = list_differences(read_network_config(checkpoint), self.model_config)
        if differences:
            name, found, ours = differences[0]
            advice = "restore that setting"
            if name in {"n_positions", "vocab_size"}:  # which the data determines
                advice = "name the shards and the tokenizer that the run started with"
            raise ConfigError(
                f"{self.path} holds a run whose {name} is {found}, but the config says {ours};"
                f" {advice}, or choose another paths.run"
            )

    def checkpoint_path(self, step: int) -> Path:
        """Returns the folder of a step's checkpoint, whether it exists or not."""
        return checkpoint_path(self._checkpoints, step)

    def write_state(
        self, tensors: Mapping[str, Tensor], step: int, *, index: int, n_shards: int
    ) -> None:
        """Writes one process's part of the optimiser state, before the checkpoint is made.

        Raises:
            PrerequisiteError: It cannot be written; earlier checkpoints are untouched.
        """
        with self._explain_write_errors(step):
            write_state(self._checkpoints, step, tensors, index=index, n_shards=n_shards)

    def dump_position(self, step: int) -> bytes:
        """Returns what this process must save of its position in the data."""
        return self._reader.dump_position(step)

    def save_position(self, dumps: Sequence[bytes], step: int) -> None:
        """Writes what all processes have returned, before the checkpoint is made.

        Raises:
            PrerequisiteError: It cannot be written; earlier checkpoints are untouched.
        """
        with self._explain_write_errors(step):
            self._reader.save_position(staging_path(self._checkpoints, step), step, dumps)

    def load_position(self, step: int) -> None:
        """Goes to where a checkpoint was in the data.

        Raises:
            PrerequisiteError: The checkpoint does not say it.
        """
        self._reader.load_position(self.checkpoint_path(step), step)

    def save_checkpoint(
        self,
        weights: Mapping[str, Tensor],
        loss_scale: LossScaleState,
        state: TrainerState,
        *,
        n_shards: int,
    ) -> Path:
        """Makes a checkpoint of what was written, and removes those that need not be kept.

        ``n_shards`` is how many processes have written a part of the optimiser state.

        Raises:
            PrerequisiteError: It cannot be written; earlier checkpoints are untouched.
        """
        settings = self.config.pretrain
        record = CheckpointRecord(
            **dataclasses.asdict(self._identity()),
            loss_scale=loss_scale.value,
            loss_scale_good_steps=loss_scale.good_steps,
            step=state.step,
            train_seconds=state.train_seconds,
            validation_loss=state.compared_loss,
            best_loss=state.best_loss,
        )
        with self._explain_write_errors(state.step):
            return save_checkpoint(
                self._checkpoints,
                record=record,
                keep=settings.keep_checkpoints,
                keep_every_steps=settings.keep_every_steps,
                n_shards=n_shards,
                write_artifact=lambda path: self._save_artifact(path, weights, state),
            )

    def save_model(self, weights: Mapping[str, Tensor], state: TrainerState) -> Path:
        """Writes the finished artifact; returns its folder.

        A run that ends again with the same weights keeps what was added to them.
        """
        path = self.path / _MODEL_FOLDER
        keep = functools.partial(keep_extras, replaced=path)
        self._save_artifact(path, weights, state, complete=keep)
        return path

    @contextlib.contextmanager
    def _explain_write_errors(self, step: int) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            discard_unfinished(self._checkpoints)
            raise PrerequisiteError(
                f"cannot write the checkpoint of step {step} to {self.path} ({error}); the earlier"
                " ones are intact: free some disk space and run the same command again"
            ) from error

    def _save_artifact(
        self,
        path: Path,
        weights: Mapping[str, Tensor],
        state: TrainerState,
        *,
        complete: Callable[[Path], None] = lambda _folder: None,
    ) -> None:
        manifest, notice = self._manifest(state), self._notice
        licences = self._reader.count_licences()
        start = self.config.pretrain.start_from
        n_parameters = sum(weight.numel() for weight in weights.values())
        save_artifact(
            path,
            config=self.model_config,
            weights=weights,
            tokenizer=self._tokenizer,
            manifest=manifest,
            card=render_model_card(
                self.config,
                manifest,
                n_parameters,
                licences,
                licence=choose_model_licence(notice, licences, start),
            ),
            notice=notice,
            run_config=render_run_config(self.config),
            complete=complete,
        )

    @property
    def _checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def _identity(self) -> RunIdentity:
        meta = self._reader.meta
        return RunIdentity(
            tokenizer_sha256=meta.tokenizer_sha256,
            corpus_sha256=meta.corpus_sha256,
            shards_sha256=meta.content_sha256,
            batch_blocks=self.config.pretrain.batch_blocks,
            seed=self.config.pretrain.seed,
        )

    def _manifest(self, state: TrainerState) -> Manifest:
        before, meta = self._start.training, self._reader.meta
        is_continued = self.config.pretrain.start_from is not None
        before_fim = self._start.fim if is_continued else None
        return Manifest(
            context_tokens=self._reader.block_tokens,
            fim=FimTokens() if meta.has_fim else before_fim,
            quality_tokens=QUALITY_TOKENS if meta.has_quality else (),
            training=TrainingRecord(
                config=to_mapping(self.config),
                commit=read_commit(),
                seed=self.config.pretrain.seed,
                data_hash=meta.corpus_sha256,
                shards_hash=meta.content_sha256,
                tokens_seen=self.count_tokens(state.step),
                steps=state.step + before.steps,
                train_seconds=round(state.train_seconds + before.train_seconds, 1),
                own_steps=state.step if is_continued else None,
            ),
            evaluation=state.validation.values() if state.validation else {},
        )

    @functools.cached_property
    def _start(self) -> Manifest:
        start = self.config.pretrain.start_from
        if start is None:
            return Manifest(context_tokens=self._reader.block_tokens)
        return load_artifact(start).manifest

    def _check_tokenizer(self) -> None:
        known = self._reader.meta.vocab_size
        if known not in {0, self._tokenizer.vocab_size}:
            raise ConfigError(
                f"{self.config.paths.shards} has a tokenizer of {self._tokenizer.vocab_size}"
                f" tokens, but its blocks were prepared with {known}; prepare the shards again"
            )
        start = self.config.pretrain.start_from
        if start is None:
            return
        expected = CodeTokenizer.load(resolve_artifact(start) / TOKENIZER_FILE)
        if expected.sha256 != self._tokenizer.sha256:
            raise ConfigError(
                f"{self.config.paths.shards} was prepared with another tokenizer than {start} has,"
                " and a model knows only its own; prepare the shards again with:"
                f" parrotlet prepare CONFIG pretrain.start_from={start}"
            )

    @property
    def _notice(self) -> str:
        return build_model_notice(self._reader.list_packages(), self.config.pretrain.start_from)
