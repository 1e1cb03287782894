"""Selects the files that may be published: those of an artifact, without local paths.

Of a checkpoint the training state too, if ``publish.training_state`` asks for it.
"""

import json
import os
import shutil
from collections.abc import Container
from pathlib import Path
from typing import Any

from training.artifact.directory import PUBLIC_FILES
from training.artifact.manifest import MANIFEST_FILE
from training.foundation.atomic_files import write_bytes_atomically, write_json_atomically
from training.foundation.errors import PrerequisiteError
from training.foundation.foreign_text import as_object, read_json
from training.foundation.privacy.local_folders import strip_folders
from training.run.checkpoint import STATE_RECORD, is_state_file
from training.stream.document_log import RECORD_FILE, find_logs, read_log, render_logs


def list_artifact_files(folder: Path) -> dict[str, Path]:
    """Returns the files of an artifact by name; of a checkpoint, all but the training state.

    Raises:
        PrerequisiteError: A file is a link to outside the folder.
    """
    files = {name: folder / name for name in sorted(PUBLIC_FILES) if (folder / name).is_file()}
    return {name: resolve_within(folder, file) for name, file in files.items()}


def link_artifact(artifact: Path, folder: Path, *, with_state: bool = False) -> None:
    """Puts an artifact's files into a folder, as hard links, or as copies where links fail.

    The manifest is rewritten with the last names of its paths, so that nothing about the folders of
    this machine is published, and without the hashes of files that are not. ``with_state`` adds
    what a checkpoint resumes from, and of a stream which documents were read.

    Raises:
        PrerequisiteError: A file is a link to outside the artifact's folder.
    """
    files = list_artifact_files(artifact)
    if with_state:
        names = sorted(p.name for p in artifact.iterdir() if is_publishable(p.name))
        files |= {name: resolve_within(artifact, artifact / name) for name in names}
    for name, file in files.items():
        if name == MANIFEST_FILE:
            manifest = _strip_manifest(json.loads(file.read_bytes()), files)
            write_json_atomically(folder / name, manifest)
            continue
        try:
            os.link(file, folder / name)
        except OSError:
            shutil.copyfile(file, folder / name)
    if with_state:
        _write_record(artifact, folder)


def _strip_manifest(manifest: dict[str, Any], published: Container[str]) -> dict[str, Any]:
    hashes = manifest.get("sha256", {})
    kept = {name: value for name, value in hashes.items() if name in published}
    stripped: dict[str, Any] = strip_folders({**manifest, "sha256": kept})
    return stripped


def _write_record(checkpoint: Path, folder: Path) -> None:
    """Writes what a streamed run had read; that of shards is known from the shards."""
    step = int(as_object(read_json(checkpoint / STATE_RECORD)).get("step", 0))
    logs = [read_log(path) for path in find_logs(checkpoint, step)]
    if logs:
        write_bytes_atomically(folder / RECORD_FILE, render_logs(logs))


def list_queued_files(run: Path, folder: Path) -> dict[str, Path]:
    """Returns the files of a queued commit by name: only those that an artifact consists of.

    Raises:
        PrerequisiteError: One of them, or the folder, is a link to outside the run, or no file.
        FileNotFoundError: The commit was removed from the queue.
    """
    resolve_within(run, folder.resolve(strict=True))
    files = {}
    for name in sorted(path.name for path in folder.iterdir()):
        file = folder / name
        if is_publishable(name):
            real = resolve_within(run, file)
            if not real.is_file():
                raise PrerequisiteError(
                    f"{file} is not a regular file and is not published; remove it"
                )
            files[name] = real
    return files


def is_publishable(name: str) -> bool:
    """Says whether a file of this name may be published: an artifact's, or a training state's."""
    return name in PUBLIC_FILES or is_state_file(name)


def resolve_within(folder: Path, file: Path) -> Path:
    """Returns the real path of a file in a folder.

    Raises:
        PrerequisiteError: The file is a link to outside the folder.
    """
    try:
        real = file.resolve()
    except (OSError, RuntimeError) as error:  # a loop
        raise PrerequisiteError(f"{file} leads nowhere and is not published; remove it") from error
    if not real.is_relative_to(folder.resolve()):
        raise PrerequisiteError(
            f"{file} is a link to outside {folder} and is not published; copy the file itself there"
        )
    return real
