"""What a model has gained since it was trained, carried over to another one.

Commands of their own add the index of training text, the gate of the memory and the calibration to
a finished artifact. Index and gate go by tokens, so they fit every model with the same tokenizer.
Called when a model is adapted, and when one is written again in the same folder.
"""

import sys
from pathlib import Path

from training.artifact.directory import (
    EXTRA_FILES,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    Artifact,
    add_file,
    add_metrics,
    load_artifact,
)
from training.artifact.manifest import MEMORY_FILE
from training.artifact.verbatim import VERBATIM_FILE
from training.foundation.errors import ArtifactError

_CALIBRATION = "confidence_"  # metrics that say what a probability means
_COMMANDS = {
    VERBATIM_FILE: "parrotlet index-verbatim",
    MEMORY_FILE: "parrotlet fit-memory",
    _CALIBRATION: "parrotlet calibrate",
}


def carry_extras(path: Path, base: Artifact) -> None:
    """Adds index, gate and calibration of one model to another, as far as it has them intact.

    Index and gate are left out if the models' tokenizers differ.

    Raises:
        ArtifactError: There is no artifact in ``path``.
    """
    if load_artifact(path, reads_weights=False).tokenizer.sha256 == base.tokenizer.sha256:
        for name in sorted(EXTRA_FILES):
            try:
                file = base.find_extra(name)
            except ArtifactError:
                continue
            if file is not None:
                add_file(path, name, file.read_bytes())
    metrics = base.manifest.evaluation.items()
    add_metrics(path, {key: value for key, value in metrics if key.startswith(_CALIBRATION)})


def keep_extras(path: Path, replaced: Path) -> None:
    """Carries extras over to an artifact that is about to replace one with the same weights.

    What the new one does not get is named on stderr, with the commands that make it again.

    Args:
        path: The new artifact.
        replaced: The folder whose place it takes, which need not be there.

    Raises:
        ArtifactError: There is no artifact in ``path``.
    """
    try:
        old = load_artifact(replaced, reads_weights=False)
    except ArtifactError:
        return  # there is none, or it is damaged
    new, had = load_artifact(path, reads_weights=False), _list_extras(old)
    if had and all(
        new.manifest.sha256[name] == old.manifest.sha256.get(name)
        for name in (WEIGHTS_FILE, TOKENIZER_FILE)
    ):
        carry_extras(path, old)
        new = load_artifact(path, reads_weights=False)
    lost = [name for name in had if name not in _list_extras(new)]
    if lost:
        commands = ", ".join(_COMMANDS[name] for name in lost)
        sys.stderr.write(
            f"{replaced} is another model now, without what had been added to the one before; add"
            f" it again with: {commands}\n"
        )


def _list_extras(artifact: Artifact) -> list[str]:
    """Returns the keys of ``_COMMANDS`` whose results an artifact has."""
    manifest = artifact.manifest
    names = [*manifest.sha256, *manifest.evaluation]
    return [key for key in _COMMANDS if any(name.startswith(key) for name in names)]
