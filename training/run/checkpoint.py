"""Checkpoints: an artifact plus optimiser state and data position, written whole, found again.

A run's ``checkpoints`` folder holds ``step-00000100`` and so on. Each is an artifact directory that
server and evaluation can load, with ``training_state.json`` and the optimiser's tensors
(``training.step.state_shards``) beside it. Nothing is pickled. Every process that holds a part of
the tensors writes it aside (``write_state``), then the main one makes the checkpoint of the parts.
Which steps to save is the loop's decision; which to keep is decided here: the newest few, the best
on the held-out packages, and every n-th step.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from training.foundation.atomic_files import (
    file_sha256,
    sync_directory,
    write_directory_atomically,
    write_json_atomically,
)
from training.step.state_shards import StateReader, write_shard

STATE_RECORD = "training_state.json"
_ASIDE = ".unfinished-"


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """What a run needs to go on.

    ``record`` has ``step`` (finished optimiser steps), ``train_seconds``, the losses of validations
    and the hashes of data and tokenizer that the run was made with.
    """

    tensors: StateReader
    record: Mapping[str, Any]


def write_state(
    folder: Path, step: int, tensors: Mapping[str, Tensor], *, index: int = 0, n_shards: int = 1
) -> None:
    """Writes one process' part of the tensors aside, for :func:`save_checkpoint` to take.

    Raises:
        OSError: It could not be written, for a full disk say.
    """
    write_shard(_aside(folder, step), tensors, index, n_shards)


def save_checkpoint(
    folder: Path,
    *,
    record: Mapping[str, Any],
    keep: int,
    keep_every_steps: int,
    write_artifact: Callable[[Path], None],
) -> Path:
    """Writes ``folder/step-N`` whole or not at all, then removes those not to be kept.

    Args:
        folder: The run's checkpoints.
        record: What the run needs beside its tensors, which were written before.
        keep: How many of the newest stay.
        keep_every_steps: Multiples of this many steps stay for good; 0 for none.
        write_artifact: Writes the artifact to the folder it is given.

    Raises:
        OSError: Nothing was written, for a full disk say.
    """
    step = int(record["step"])
    target = checkpoint_path(folder, step)
    with write_directory_atomically(target) as aside:
        try:
            write_artifact(aside / "artifact")
        except SafetensorError as error:
            raise OSError(str(error)) from error
        hashes = {f.name: file_sha256(f) for f in sorted(_aside(folder, step).iterdir())}
        for file in (*(aside / "artifact").iterdir(), *_aside(folder, step).iterdir()):
            file.rename(aside / file.name)
        (aside / "artifact").rmdir()
        whole = {**record, "tensors_sha256": hashes}
        write_json_atomically(aside / STATE_RECORD, {**whole, "sha256": _record_hash(whole)})
    discard_unfinished(folder)
    kept = kept_checkpoints(folder, keep=keep, keep_every_steps=keep_every_steps)
    for old in set(checkpoints(folder)) - kept:
        shutil.rmtree(old)
    sync_directory(folder)
    return target


def discard_unfinished(folder: Path) -> None:
    """Removes what was written aside and never became a checkpoint."""
    for path in folder.glob(f"{_ASIDE}*"):
        shutil.rmtree(path)


def checkpoint_path(folder: Path, step: int) -> Path:
    """Returns where the checkpoint of a step is, if there is one."""
    return folder / f"step-{step:08d}"


def checkpoints(folder: Path) -> list[Path]:
    """Lists the checkpoints of a run, oldest first."""
    return sorted(p for p in folder.glob("step-*") if p.is_dir())


def kept_checkpoints(folder: Path, *, keep: int, keep_every_steps: int) -> set[Path]:
    """Returns the newest ``keep``, the one with the lowest validation loss, and every n-th."""
    paths = checkpoints(folder)
    kept = set(paths[-keep:])
    losses = {path: _validation_loss(path) for path in paths}
    validated = [(loss, path) for path, loss in losses.items() if loss is not None]
    if validated:
        kept.add(min(validated)[1])
    if keep_every_steps:
        kept |= {p for p in paths if int(p.name.removeprefix("step-")) % keep_every_steps == 0}
    return kept


def load_newest_state(folder: Path) -> TrainingState | None:
    """Reads the newest checkpoint that is whole, or None if there is none.

    A damaged one is passed over with a line on stderr, and the one before it is used.
    """
    for path in reversed(checkpoints(folder)):
        try:
            return _load_state(path)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            sys.stderr.write(f"{path} is damaged ({error}); trying the checkpoint before it\n")
    return None


def _aside(folder: Path, step: int) -> Path:
    return folder / f"{_ASIDE}{step:08d}"


def _load_state(path: Path) -> TrainingState:
    record = json.loads((path / STATE_RECORD).read_text(encoding="utf-8"))
    if "sha256" in record and record.pop("sha256") != _record_hash(record):
        raise ValueError(f"the hash of {STATE_RECORD} does not fit")
    for name, wanted in record["tensors_sha256"].items():
        if file_sha256(path / name) != wanted:
            raise ValueError(f"the hash of {name} does not fit")
    paths = [path / name for name in record["tensors_sha256"]]
    return TrainingState(tensors=StateReader(paths), record=record)


def _record_hash(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _validation_loss(path: Path) -> float | None:
    try:
        record = json.loads((path / STATE_RECORD).read_text(encoding="utf-8"))
        loss = record.get("validation_loss")
    except (OSError, ValueError, AttributeError):
        return None
    return loss if isinstance(loss, float) else None
