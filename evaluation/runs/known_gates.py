"""Whether a model can use a workspace, for commands that measure it with one."""

from pathlib import Path

from training.artifact.manifest import MEMORY_FILE
from training.foundation.atomic_files import file_sha256
from training.foundation.errors import ArtifactError


def require_gate(model: Path) -> str:
    """Returns the SHA-256 of a model's gate.

    Raises:
        ArtifactError: It has none.
    """
    file = model / MEMORY_FILE
    if not file.is_file():
        raise ArtifactError(
            f"{model} has no gate for a memory; fit one with parrotlet fit-memory, or leave"
            " --workspace out"
        )
    return file_sha256(file)
