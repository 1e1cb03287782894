"""What a local folder says of itself: its name, version and licence.

Read from an unpacked sdist's ``PKG-INFO``, else from ``pyproject.toml``; no build back end is run,
so what such a file leaves to one ("dynamic") is not known here. Called by
:mod:`training.corpus.readers.sources`.
"""

import tomllib
from pathlib import Path
from typing import Any

from training.corpus.licences import UNKNOWN, Metadata, licence_of_text, read_metadata
from training.corpus.readers.archives import LICENCE_FILE

MAX_FILE_BYTES = 1 << 20


def folder_metadata(folder: Path, licence: str | None) -> Metadata:
    """Returns a folder's metadata; a ``licence`` that is given goes before what it says itself."""
    licence_text = _licence_text(folder)
    pkg_info = _text(folder / "PKG-INFO")
    found = (
        read_metadata(pkg_info, licence_text)
        if pkg_info
        else _from_pyproject(_text(folder / "pyproject.toml"), licence_text)
    )
    return Metadata(
        name=found.name or folder.resolve().name,
        version=found.version,
        licence=licence or found.licence,
        source="config" if licence else found.source,
    )


def _from_pyproject(text: str, licence_text: str) -> Metadata:
    project: dict[str, Any] = {}
    try:
        project = dict(tomllib.loads(text).get("project", {}))
    except (tomllib.TOMLDecodeError, TypeError, ValueError, RecursionError):
        project = {}  # a broken file tells nothing; the licence file may
    licence = project.get("license")
    source = "pyproject.toml"
    if not isinstance(licence, str):
        licence = licence_of_text(licence_text)
        source = "licence file" if licence else "none"
    return Metadata(
        name=str(project.get("name", "")),
        version=str(project.get("version", "")),
        licence=licence or UNKNOWN,
        source=source,
    )


def _licence_text(folder: Path) -> str:
    for file in sorted(folder.iterdir()):
        if LICENCE_FILE.search(file.name) and file.is_file():
            return _text(file)
    return ""


def _text(file: Path) -> str:
    try:
        if not file.is_file() or file.stat().st_size > MAX_FILE_BYTES:
            return ""
        return file.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
