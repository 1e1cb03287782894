"""Checkpoints: an artifact plus optimiser state and data position, written whole, found again.

A run's ``checkpoints`` folder holds ``step-00000100`` and so on. Each is an artifact directory that
server and evaluation can load, with ``training_state.safetensors`` and ``training_state.json``
beside it. Nothing is pickled. Which steps to save is the loop's decision.
"""

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.artifact.directory import save_artifact
from training.artifact.files import (
    directory_written_aside,
    file_sha256,
    sync_directory,
    write_json_atomically,
)
from training.artifact.gpt2 import GPT2
from training.artifact.manifest import Manifest
from training.artifact.tokenizer import CodeTokenizer

STATE_TENSORS = "training_state.safetensors"
STATE_RECORD = "training_state.json"


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """What a run needs to go on.

    ``record`` has ``step`` (finished optimiser steps), ``train_seconds`` and the hashes of data and
    tokenizer that the run was made with.
    """

    tensors: Mapping[str, Tensor]
    record: Mapping[str, Any]


def save_checkpoint(
    folder: Path,
    *,
    model: GPT2,
    tokenizer: CodeTokenizer,
    manifest: Manifest,
    card: str,
    notice: str,
    state: TrainingState,
    keep: int,
) -> Path:
    """Writes ``folder/step-N`` whole or not at all, then removes all but the newest ``keep``."""
    target = folder / f"step-{int(state.record['step']):08d}"
    with directory_written_aside(target) as aside:
        save_artifact(
            aside / "artifact",
            config=model.config,
            weights=model.state_dict(),
            tokenizer=tokenizer,
            manifest=manifest,
            card=card,
            notice=notice,
        )
        for file in (aside / "artifact").iterdir():
            file.rename(aside / file.name)
        (aside / "artifact").rmdir()
        save_file(dict(state.tensors), aside / STATE_TENSORS)
        record = {**state.record, "tensors_sha256": file_sha256(aside / STATE_TENSORS)}
        write_json_atomically(aside / STATE_RECORD, record)
    for old in checkpoints(folder)[:-keep]:
        shutil.rmtree(old)
    sync_directory(folder)
    return target


def checkpoints(folder: Path) -> list[Path]:
    """Lists the checkpoints of a run, oldest first."""
    return sorted(p for p in folder.glob("step-*") if p.is_dir())


def load_newest_state(folder: Path) -> TrainingState | None:
    """Reads the newest checkpoint that is whole, or None if there is none.

    A damaged one is passed over with a line on stderr, and the one before it is used.
    """
    for path in reversed(checkpoints(folder)):
        try:
            return _load_state(path)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            sys.stderr.write(f"{path} is damaged ({error}); trying the checkpoint before it\n")
    return None


def _load_state(path: Path) -> TrainingState:
    record = json.loads((path / STATE_RECORD).read_text(encoding="utf-8"))
    if file_sha256(path / STATE_TENSORS) != record["tensors_sha256"]:
        raise ValueError("its hash does not fit")
    return TrainingState(tensors=load_file(path / STATE_TENSORS), record=record)
