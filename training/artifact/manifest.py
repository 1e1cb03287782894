"""``parrotlet.json``: the part of an artifact's metadata that transformers does not need."""

from collections.abc import Iterable, Mapping
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
from training.foundation.atomic_files import file_sha256
from training.foundation.config_schema import from_mapping
from training.foundation.errors import ArtifactError, ConfigError, ForeignDataError
from training.foundation.foreign_text import LFS_POINTER_HEAD, read_json

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


def read_json_file(path: Path) -> dict[str, Any]:
    """Returns the object in one of an artifact's files.

    Raises:
        ArtifactError: The file is missing or damaged.
    """
    check_pointer(path)
    try:
        value = read_json(path, allow_nan=True)  # an infinite perplexity, say
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} is missing; {COPY_AGAIN}") from error
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({error.strerror}); {COPY_AGAIN}") from error
    except ForeignDataError as error:
        raise ArtifactError(f"{error}; {COPY_AGAIN}") from error
    if not isinstance(value, dict):
        raise ArtifactError(f"{path} holds no JSON object; {COPY_AGAIN}")
    return value


def read_manifest(path: Path) -> Manifest:
    """Reads the file that says what an artifact is.

    Raises:
        ArtifactError: It is missing, damaged, or of another format version.
    """
    values = read_json_file(path)
    version = values.get("format_version")
    if version != FORMAT_VERSION:
        raise ArtifactError(
            f"{path} has format version {version!r}, this version reads {FORMAT_VERSION};"
            " use the version of Parrotlet that wrote it"
        )
    try:
        return from_mapping(Manifest, values, where=str(path))
    except ConfigError as error:
        raise ArtifactError(
            f"{error}; {COPY_AGAIN}, or update Parrotlet if a newer version wrote it"
        ) from error


def check_files(path: Path, manifest: Manifest, names: Iterable[str]) -> None:
    """Refuses an artifact whose files are not those that were saved.

    Raises:
        ArtifactError: One of the names is missing, damaged, or has no hash.
    """
    for name in names:
        file = path / name
        if not file.is_file():
            raise ArtifactError(f"{file} is missing; {COPY_AGAIN}")
        expected = manifest.sha256.get(name)
        if expected is None:
            raise ArtifactError(f"{path / MANIFEST_FILE} has no hash of {name}; {COPY_AGAIN}")
        check_pointer(file)
        found = file_sha256(file)
        if found != expected:
            raise ArtifactError(
                f"{file} is damaged: its SHA-256 begins {found[:12]}, expected {expected[:12]};"
                f" {COPY_AGAIN}"
            )
