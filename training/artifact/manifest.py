"""``parrotlet.json``: the part of an artifact's metadata that transformers does not need."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.artifact.special_tokens import (
    END_OF_TEXT,
    FIM_MIDDLE,
    FIM_PAD,
    FIM_PREFIX,
    FIM_SUFFIX,
)
from training.foundation.errors import ArtifactError
from training.foundation.foreign_text import LFS_POINTER_HEAD

COPY_AGAIN = "copy or download the whole artifact directory again"
FORMAT_VERSION = 1
MANIFEST_FILE = "parrotlet.json"
MEMORY_FILE = "memory.json"  # how far to trust the workspace's own code, and the model
NOTICE_FILE = "NOTICE"  # whose code the model was trained on; foreign models have none


def check_pointer(path: Path) -> None:
    """Refuses a file that Git LFS has not fetched.

    Raises:
        ArtifactError: It is the pointer, not the file.
    """
    try:
        with path.open("rb") as file:
            head = file.read(len(LFS_POINTER_HEAD))
    except OSError:
        return  # reading it will say why
    if head == LFS_POINTER_HEAD:
        raise ArtifactError(
            f"{path} is a Git LFS pointer, not the file; run 'git lfs pull' in its repository"
        )


@dataclass(frozen=True, kw_only=True)
class FimTokens:
    """The spellings of the sentinels, and the orders the model was trained with."""

    prefix: str = FIM_PREFIX
    suffix: str = FIM_SUFFIX
    middle: str = FIM_MIDDLE
    pad: str = FIM_PAD
    end: str = END_OF_TEXT
    orders: tuple[str, ...] = ("psm", "spm")


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """Where the weights come from: enough to train them again.

    ``data_hash`` is the hash of the corpus, ``shards_hash`` that of the blocks made from it ("" if
    they record none). ``config`` is the run's whole config as plain data. ``steps``, tokens and
    seconds include those of the model that the run started from, if any; then ``own_steps`` are the
    run's alone (None in records of earlier versions). If the weights are the mean of several
    checkpoints', ``averaged_steps`` has the steps of each; else it is empty.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    commit: str = "unknown"
    seed: int = 0
    data_hash: str = ""
    shards_hash: str = ""
    tokens_seen: int = 0
    steps: int = 0
    train_seconds: float = 0.0
    averaged_steps: tuple[int, ...] = ()
    own_steps: int | None = None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of ``parrotlet.json``.

    ``fim`` is None for a model without infilling; ``quality_tokens`` are those it was trained with,
    from low to high, none if its documents had no quality labels. ``evaluation`` maps metrics to
    their values; ``sha256`` maps the names of the other files to their hashes.
    """

    format_version: int = FORMAT_VERSION
    context_tokens: int
    fim: FimTokens | None = field(default_factory=FimTokens)
    quality_tokens: tuple[str, ...] = ()
    training: TrainingRecord = field(default_factory=TrainingRecord)
    evaluation: Mapping[str, float] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
