"""Checkpoints: an artifact plus optimiser state and position, written atomically, found again.

A run's ``checkpoints`` folder holds ``step-00000100`` and so on. Each is an artifact directory that
server and evaluation can load, with ``training_state.json`` and the optimiser's tensors
(``training.step.state_shards``) beside it. Nothing is pickled. First every process that holds a
part of the tensors writes it to a staging folder (``write_state``); then the main one assembles the
checkpoint. Which steps to save is the loop's decision; which checkpoints to keep is decided here:
the newest few, the best on held-out documents, and every n-th step.
"""

import dataclasses
import hashlib
import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from training.artifact.bundled import resolve_artifact
from training.artifact.directory import ARTIFACT_FOLDER, PUBLIC_FILES
from training.artifact.manifest import TrainingRecord
from training.foundation.atomic_files import (
    FolderContents,
    discard_asides,
    file_sha256,
    sync_directory,
    write_directory_atomically,
    write_json_atomically,
)
from training.foundation.config_schema import from_mapping
from training.foundation.errors import ConfigError, PrerequisiteError
from training.foundation.foreign_text import as_object, read_json
from training.step.state_shards import TENSORS_NAME, StateReader, shard_name, write_shard

STATE_RECORD = f"{TENSORS_NAME}.json"
STATE_FILES = {
    *(STATE_RECORD, f"{TENSORS_NAME}*.safetensors", "data_position.safetensors"),
    "documents.parquet",  # of a published one: what its run has read
}
CHECKPOINT_FOLDER = FolderContents(mark=STATE_RECORD, files=ARTIFACT_FOLDER.files | STATE_FILES)
_STAGING = ".unfinished-"
_SAME_SECONDS = 0.5  # records are rounded
_CHECKPOINT_NAME = re.compile(r"step-\d{8,}")


@dataclass(frozen=True, kw_only=True)
class RunIdentity:
    """What may not change while a run is resumed; None or "" where an old record lacks it."""

    tokenizer_sha256: str | None = None
    corpus_sha256: str | None = None
    shards_sha256: str | None = None
    batch_blocks: int | None = None
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class CheckpointRecord(RunIdentity):
    """The content of ``training_state.json``, beside the hashes of itself and of the tensors."""

    loss_scale: float | None = None
    loss_scale_good_steps: int = 0
    step: int
    train_seconds: float = 0.0
    validation_loss: float | None = None
    best_loss: float | None = None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "CheckpointRecord":
        """Reads a record of this or an older version.

        Raises:
            ConfigError: It has no step, or something of another type.
        """
        names = [f.name for f in dataclasses.fields(cls)]
        known = {name: values[name] for name in names if name in values}
        return from_mapping(cls, known, where=STATE_RECORD)


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """What a run needs to resume; the hash is that of the record, which has the tensors' hashes."""

    tensors: StateReader
    record: CheckpointRecord
    sha256: str


def write_state(
    folder: Path, step: int, tensors: Mapping[str, Tensor], *, index: int = 0, n_shards: int = 1
) -> None:
    """Writes one process's part of the tensors to the staging folder.

    Raises:
        OSError: It could not be written: the disk is full, say.
    """
    write_shard(staging_path(folder, step), tensors, index, n_shards)


def save_checkpoint(
    folder: Path,
    *,
    record: CheckpointRecord,
    keep: int,
    keep_every_steps: int,
    n_shards: int = 1,
    write_artifact: Callable[[Path], None],
) -> Path:
    """Writes ``folder/step-N`` atomically, then removes the checkpoints that need not be kept.

    Args:
        folder: The run's checkpoints.
        record: What the run needs besides its tensors, which are in the staging folder.
        keep: How many of the newest to keep.
        keep_every_steps: Multiples of this many steps are kept for good; 0 for none.
        n_shards: How many processes have written a part of the tensors.
        write_artifact: Writes the artifact to the folder it is given.

    Raises:
        OSError: Nothing was written: the disk is full, say.
        PrerequisiteError: A part of the tensors is missing.
    """
    staging, target = staging_path(folder, record.step), checkpoint_path(folder, record.step)
    with write_directory_atomically(target, CHECKPOINT_FOLDER) as aside:
        write_artifact(aside / "artifact")
        staged = _list_staged(staging, n_shards)
        hashes = {file.name: file_sha256(file) for file in staged}
        for file in (*(aside / "artifact").iterdir(), *staged):
            file.rename(aside / file.name)
        (aside / "artifact").rmdir()
        values = {**dataclasses.asdict(record), "tensors_sha256": hashes}
        write_json_atomically(aside / STATE_RECORD, {**values, "sha256": _hash_record(values)})
    discard_unfinished(folder)
    kept = select_kept_checkpoints(folder, keep=keep, keep_every_steps=keep_every_steps)
    for old in set(list_checkpoints(folder)) - kept:
        if CHECKPOINT_FOLDER.find_foreign(old) is None:  # else somebody keeps something there
            shutil.rmtree(old)
    sync_directory(folder)
    return target


def _list_staged(staging: Path, n_shards: int) -> list[Path]:
    """Returns the files of a checkpoint, without what another number of processes has left."""
    shards = [staging / shard_name(index, n_shards) for index in range(n_shards)]
    for shard in shards:
        if not shard.is_file():
            raise PrerequisiteError(
                f"{shard}, which another process has written, is not there; paths.run must be a"
                " folder that all machines share"
            )
    others = [f for f in staging.iterdir() if not f.name.startswith(TENSORS_NAME)]
    return sorted([*shards, *others])


def import_checkpoint(
    source: Path, folder: Path, import_data: Callable[[Path, int], None]
) -> Path | None:
    """Copies a checkpoint, or the newest of a run, into a run that has none.

    Args:
        source: The checkpoint, or the run.
        folder: The checkpoints of the run that goes on with it.
        import_data: Takes over what is known of the data that a checkpoint was trained on, before
            the checkpoint is there.

    Returns:
        The new checkpoint; None if the run has checkpoints of its own.

    Raises:
        PrerequisiteError: There is no checkpoint, or it is damaged.
    """
    if list_checkpoints(folder):
        return None
    newest = list_checkpoints(source / "checkpoints")
    found = newest[-1] if newest else source
    if not (found / STATE_RECORD).is_file():
        raise PrerequisiteError(
            f"{source} has no training state to resume from (pretrain.resume_from); name a"
            " checkpoint, a run, or a branch published with publish.training_state=true (if an"
            ' earlier version has finished it, OWNER/NAME@COMMIT of its newest "Step N"), or use'
            " pretrain.start_from"
        )
    try:
        step = _load_state(found).record.step
    except (OSError, ValueError, KeyError, ConfigError, SafetensorError) as error:
        raise PrerequisiteError(f"{found} is damaged ({error}); fetch it again") from error
    import_data(found, step)
    target = checkpoint_path(folder, step)
    with write_directory_atomically(target, CHECKPOINT_FOLDER) as aside:
        for file in found.iterdir():
            is_known = file.name in PUBLIC_FILES or is_state_file(file.name)
            if is_known and file.is_file():
                shutil.copyfile(file, aside / file.name)
    return target


def is_state_file(name: str) -> bool:
    """Says whether a file of this name is a checkpoint's, beside its artifact's."""
    return any(fnmatchcase(name, pattern) for pattern in STATE_FILES)


def discard_unfinished(folder: Path) -> None:
    """Removes what never became a checkpoint; nobody may be writing one.

    A checkpoint that was being replaced by one of the same step is put back.
    """
    for path in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(path, ignore_errors=True)
    discard_asides(folder, _CHECKPOINT_NAME)


def check_same_start(run: Path, found: TrainingRecord, expected: TrainingRecord) -> None:
    """Refuses to resume a training that started from another model, or elsewhere in the data.

    The model may have another name now: a link, another folder, another machine's. Then how long it
    had been trained decides.

    Args:
        run: The run's folder.
        found: What the checkpoint records.
        expected: What this config would have recorded at the same step.

    Raises:
        ConfigError: The start is certainly another one.
    """
    recorded, settings = found.config.get("pretrain"), expected.config["pretrain"]
    if not isinstance(recorded, Mapping):
        return  # of a version that did not record it
    first = settings["first_block"]
    if recorded.get("first_block", first) != first:
        raise ConfigError(
            f"{run} holds a training with pretrain.first_block={recorded['first_block']}, but the"
            f" config says {first}; restore that setting, or choose another paths.run"
        )
    start = settings["start_from"]
    before = recorded.get("start_from", start)
    are_models = isinstance(before, str) and isinstance(start, str)
    if before == start or (
        are_models and (_is_same_folder(before, start) or _is_as_trained(found, expected))
    ):
        return
    raise ConfigError(
        f"{run} holds a training that started from {before or 'fresh weights'}, but"
        f" pretrain.start_from is {start or 'not set'}; restore that setting, or choose another"
        " paths.run to start a training"
    )


def _is_same_folder(path: str, other: str) -> bool:
    try:
        return resolve_artifact(Path(path)).samefile(resolve_artifact(Path(other)))
    except OSError:  # one of them is no longer there
        return False


def _is_as_trained(found: TrainingRecord, expected: TrainingRecord) -> bool:
    """Says whether two records of one step add up to the same training before the run."""
    is_as_long = abs(found.train_seconds - expected.train_seconds) < _SAME_SECONDS
    return is_as_long and (found.tokens_seen, found.steps) == (
        expected.tokens_seen,
        expected.steps,
    )


def checkpoint_path(folder: Path, step: int) -> Path:
    """Returns the folder of a step's checkpoint, whether it exists or not."""
    return folder / f"step-{step:08d}"


def list_checkpoints(folder: Path) -> list[Path]:
    """Lists the checkpoints of a run, oldest first."""
    found = (p for p in folder.glob("step-*") if _CHECKPOINT_NAME.fullmatch(p.name) and p.is_dir())
    return sorted(found, key=_step_of)


def select_kept_checkpoints(folder: Path, *, keep: int, keep_every_steps: int) -> set[Path]:
    """Returns the newest ``keep``, the one with the lowest validation loss, and every n-th."""
    paths = list_checkpoints(folder)
    kept = set(paths[-keep:])
    losses = {path: _validation_loss(path) for path in paths}
    validated = [(loss, path) for path, loss in losses.items() if loss is not None]
    if validated:
        kept.add(min(validated)[1])
    if keep_every_steps:
        kept |= {p for p in paths if _step_of(p) % keep_every_steps == 0}
    return kept


def load_newest_state(folder: Path) -> TrainingState | None:
    """Reads the newest intact checkpoint, or returns None if there is none at all.

    A damaged one is skipped with a message on stderr, and the one before it is used.

    Raises:
        PrerequisiteError: All are damaged, so that the run would start again and replace them.
    """
    paths = list_checkpoints(folder)
    for path in reversed(paths):
        try:
            return _load_state(path)
        except (OSError, ValueError, KeyError, ConfigError, SafetensorError) as error:
            sys.stderr.write(f"{path} is damaged ({error}); trying the checkpoint before it\n")
    if paths:
        raise PrerequisiteError(
            f"no checkpoint in {folder} is intact; restore one from a backup, or choose another"
            " paths.run to start again"
        )
    return None


def _step_of(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def staging_path(folder: Path, step: int) -> Path:
    """Returns the folder in which the files of a checkpoint are collected."""
    return folder / f"{_STAGING}{step:08d}"


def _load_state(path: Path) -> TrainingState:
    values = as_object(read_json(path / STATE_RECORD, allow_nan=True))
    if "sha256" in values and values.pop("sha256") != _hash_record(values):
        raise ValueError(f"the hash of {STATE_RECORD} does not match")
    hashes = as_object(values["tensors_sha256"])
    for name, expected in hashes.items():
        if Path(name).name != name or file_sha256(path / name) != expected:
            raise ValueError(f"the hash of {name} does not match")
    paths = [path / name for name in hashes if name.startswith(TENSORS_NAME)]
    return TrainingState(
        tensors=StateReader(paths),
        record=CheckpointRecord.from_json(values),
        sha256=_hash_record(values),
    )


def _hash_record(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _validation_loss(path: Path) -> float | None:
    try:
        loss = as_object(read_json(path / STATE_RECORD)).get("validation_loss")
    except (OSError, ValueError):
        return None
    return loss if isinstance(loss, float) else None
