"""The files that may be published: an artifact's own, inside its folder."""

import os
import shutil
from pathlib import Path

from training.artifact.directory import ARTIFACT_FILES
from training.artifact.errors import PrerequisiteError


def artifact_files(folder: Path) -> dict[str, Path]:
    """Returns the files of an artifact by name; of a checkpoint, all but the training state.

    Raises:
        PrerequisiteError: A file is a link to a place outside of the folder.
    """
    files = {name: folder / name for name in sorted(ARTIFACT_FILES) if (folder / name).is_file()}
    return {name: within(folder, file) for name, file in files.items()}


def link_artifact(artifact: Path, folder: Path) -> None:
    """Puts an artifact's files into a folder: as hard links, or as copies where links fail.

    Raises:
        PrerequisiteError: A file is a link to a place outside of the artifact's folder.
    """
    for name, file in artifact_files(artifact).items():
        try:
            os.link(file, folder / name)
        except OSError:
            shutil.copyfile(file, folder / name)


def within(folder: Path, file: Path) -> Path:
    """Returns the real path of a file in a folder.

    Raises:
        PrerequisiteError: It is a link to a place outside.
    """
    real = file.resolve()
    if not real.is_relative_to(folder.resolve()):
        raise PrerequisiteError(
            f"{file} leads out of {folder} and is not published; put the file itself there"
        )
    return real
