"""Where an adapted model comes from: the commit, the files and the settings it was trained with.

``training.adaptation`` writes the record before the training, as its plan; a finished artifact
carries it as ``ADAPTATION_FILE``. No text of the repository is in it, only names and hashes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from training.foundation.config_schema import from_mapping
from training.foundation.errors import ArtifactError, ConfigError
from training.foundation.foreign_text import as_object, read_json

ADAPTATION_FILE = "adaptation.json"
_MAX_BYTES = 256 << 20  # names and hashes of a large repository's files


@dataclass(frozen=True, kw_only=True)
class AdaptationRecord:
    """What an adaptation learns from, and how.

    Attributes:
        folder: The folder that was read.
        root_commit: The commit with which its repository began; empty without git.
        commit: The commit that was read.
        subfolder: The folder within the repository, empty for all of it.
        base: The artifact that the training starts from.
        base_sha256: The hash of its weights.
        origin: The artifact with which the first adaptation began; it says what is forgotten.
        origin_sha256: The hash of its weights.
        is_renewed: Whether that artifact was adapted to the same repository before.
        files: The files that are learned from, by path, with a hash of their text.
        heldout_newest: The files that are measured on because they changed last.
        heldout_by_hash: The files that are measured on and never learned from.
        n_bytes: The size of all these files.
        minutes: The time that was allowed.
        steps: Steps of the training.
        batch_blocks: Blocks of tokens in each step.
        matrix_learning_rate: Of the matrices, before it decays.
        learning_rate: Of everything else, likewise.
        epochs: How often each file is read.
        replay_share: Of the tokens, those of general code.
        tokens_per_s: The speed that was measured here.
        trained_share: Of the change of the origin's weights, what is kept; chosen after the
            training.
        items: Positions of each kind to measure at.
        typed_files: Files to type in.
        bits_files: Held-out files whose bits to measure; 0 in records that do not say.
        training_s: Seconds that are planned for the training.
        measuring_s: Seconds that are planned to measure a model, each time.
        verdict: Why there is nothing to train, in a word; empty if there is.
        sentence: The same for the user.
    """

    folder: str = ""
    root_commit: str = ""
    commit: str = ""
    subfolder: str = ""
    base: str = ""
    base_sha256: str = ""
    origin: str = ""
    origin_sha256: str = ""
    is_renewed: bool = False
    files: Mapping[str, str] = field(default_factory=dict)
    heldout_newest: tuple[str, ...] = ()
    heldout_by_hash: tuple[str, ...] = ()
    n_bytes: int = 0
    minutes: float = 0.0
    steps: int = 0
    batch_blocks: int = 0
    matrix_learning_rate: float = 0.0
    learning_rate: float = 0.0
    epochs: float = 0.0
    replay_share: float = 0.0
    tokens_per_s: float = 0.0
    trained_share: float = 1.0
    items: int = 0
    typed_files: int = 0
    bits_files: int = 0
    training_s: float = 0.0
    measuring_s: float = 0.0
    verdict: str = ""
    sentence: str = ""

    @property
    def heldout(self) -> tuple[str, ...]:
        """All files that are measured on."""
        return (*self.heldout_newest, *self.heldout_by_hash)

    @classmethod
    def read(cls, file: Path) -> Self:
        """Reads a record.

        Raises:
            ArtifactError: It is missing or damaged.
        """
        try:
            values = as_object(read_json(file, max_bytes=_MAX_BYTES))
            return from_mapping(cls, values, where=str(file))
        except (OSError, ValueError, ConfigError) as error:
            raise ArtifactError(
                f"cannot read {file} ({error}); adapt again with parrotlet adapt"
            ) from error
