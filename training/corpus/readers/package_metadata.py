"""What a package says about itself: name, version and licence.

The licence comes from ``License-Expression``, else the classifiers, else the ``License`` field,
else the text of the licence file. Nothing is built or executed, so what a ``pyproject.toml`` leaves
to its build back end ("dynamic") stays unknown. Licence headers of single files are the text
filters' business.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from training.corpus.readers.names import clean_name
from training.corpus.readers.source_file import LICENCE_PATH, METADATA_PATH, SourceFile
from training.foundation.errors import ForeignDataError
from training.foundation.foreign_text import read_bounded
from training.licensing.licences import (
    SPELLINGS,
    UNKNOWN,
    detect_bsd,
    detect_licence,
    join_licences,
)

PKG_INFO, PYPROJECT = "PKG-INFO", "pyproject.toml"
MAX_FILE_BYTES = 1 << 20
MAX_FIELD_CHARS = 80
_CLASSIFIERS = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
}
_BSD = "BSD License"  # two or three clauses: only the licence file tells


_DEEP_KEY = re.compile(r"""(?<!["'\w-])(?:["'\w-]++[ \t]*+\.[ \t]*+){64}""")


@dataclass(frozen=True, kw_only=True)
class PackageMetadata:
    """A package's own description; ``licence_source`` names where the licence was found."""

    name: str
    version: str
    licence: str
    licence_source: str


class MetadataSearch:
    """Finds a package's metadata and licence file: those highest in the tree."""

    def __init__(self) -> None:
        self._best: dict[str, tuple[tuple[int, str], bytes]] = {}

    def add(self, file: SourceFile) -> None:
        """Considers a file; any but metadata and licence files are ignored."""
        is_metadata = METADATA_PATH.search(file.path)
        if not (is_metadata or LICENCE_PATH.search(file.path)):
            return
        kind = "metadata" if is_metadata else "licence"
        rank = (file.path.count("/"), file.path)  # those of a vendored package lie deeper
        if kind not in self._best or rank < self._best[kind][0]:
            self._best[kind] = (rank, file.data)

    def licence_text(self) -> str:
        """Returns the text of the licence file found so far; empty if there is none."""
        return (
            self._best["licence"][1].decode("utf-8", "replace") if "licence" in self._best else ""
        )

    def result(self) -> PackageMetadata:
        """Returns what the files found so far say."""
        texts = {kind: data.decode("utf-8", "replace") for kind, (_, data) in self._best.items()}
        return parse_metadata(texts.get("metadata", ""), texts.get("licence", ""))


def parse_metadata(metadata: str, licence_text: str) -> PackageMetadata:
    """Parses a ``METADATA`` or ``PKG-INFO`` file; the licence file's text is the last resort."""
    message = HeaderParser().parsestr(metadata)
    licence, source = _find_licence(
        expression=(message.get("License-Expression") or "").strip(),
        classifiers=message.get_all("Classifier", []),
        field=(message.get("License") or "").strip().partition("\n")[0][:MAX_FIELD_CHARS],
        text=licence_text,
    )
    return PackageMetadata(
        name=clean_name(message.get("Name")),
        version=clean_name(message.get("Version")),
        licence=licence,
        licence_source=source,
    )


def _find_licence(
    *, expression: str, classifiers: Sequence[str], field: str, text: str
) -> tuple[str, str]:
    """Returns the licence that a project states in one of four places, and in which.

    Args:
        expression: Its SPDX expression; empty without one.
        classifiers: All that it has.
        field: The name of its licence in its own words; empty without one.
        text: Its licence file.
    """
    if expression:
        return expression, "License-Expression"
    last = [c.split("::")[-1].strip() for c in classifiers if c.startswith("License ::")]
    named = [_CLASSIFIERS.get(c, c) for c in last if c != "OSI Approved"]
    if _BSD in named and (found := detect_bsd(text)):
        others = [name for name in named if name != _BSD]
        return join_licences([found, *others]), "classifier" if others else "licence file"
    if named and named != [_BSD]:
        return (UNKNOWN, "none") if _BSD in named else (join_licences(named), "classifier")
    if field and not named:
        return SPELLINGS.get(field, field), "License field"
    guess = detect_licence(text)
    return (guess, "licence file") if guess else (UNKNOWN, "none")


def read_folder_metadata(folder: Path, licence: str | None) -> PackageMetadata:
    """Reads a local folder's metadata: ``PKG-INFO`` of an unpacked sdist, else ``pyproject.toml``.

    Args:
        folder: The folder.
        licence: The licence that the config states; None to use the folder's own.
    """
    files = {file.name: _read_file(file) for file in list_metadata_files(folder)}
    return describe_project(files, folder.resolve().name, licence)


def list_metadata_files(folder: Path) -> list[Path]:
    """Returns the regular files at the root of a folder that say what it is, sorted."""
    try:
        files = sorted(folder.iterdir())
        return [file for file in files if is_project_file(file.name) and file.is_file()]
    except OSError:
        return []


def is_project_file(name: str) -> bool:
    """Returns whether a file at the root of a project says what it is, or its licence."""
    return name in {PKG_INFO, PYPROJECT} or bool(LICENCE_PATH.search(name))


def describe_project(files: Mapping[str, bytes], name: str, licence: str | None) -> PackageMetadata:
    """Returns what the files at the root of a project say about it.

    Args:
        files: The files by name; of several licence files the first counts.
        name: The project's name if no file states one.
        licence: The licence that the config states; None to use the project's own.
    """
    texts = {name: files[name].decode("utf-8", "replace") for name in sorted(files)}
    licence_text = next((t for n, t in texts.items() if t and LICENCE_PATH.search(n)), "")
    found = (
        parse_metadata(texts[PKG_INFO], licence_text)
        if texts.get(PKG_INFO)
        else parse_pyproject(texts.get(PYPROJECT, ""), licence_text)
    )
    return PackageMetadata(
        name=found.name or clean_name(name),
        version=found.version,
        licence=licence or found.licence,
        licence_source="config" if licence else found.licence_source,
    )


def parse_pyproject(text: str, licence_text: str) -> PackageMetadata:
    """Parses a ``pyproject.toml``; the licence file's text is the last resort."""
    if _DEEP_KEY.search(text):  # takes the parser quadratic time
        text = ""
    try:
        project: dict[str, Any] = dict(tomllib.loads(text).get("project", {}))
    except (tomllib.TOMLDecodeError, TypeError, ValueError, RecursionError):
        project = {}  # a malformed file says nothing; the licence file may
    stated, classifiers = project.get("license"), project.get("classifiers")
    own = stated.get("text") if isinstance(stated, dict) else None
    own_text = own if isinstance(own, str) else ""
    is_name = "\n" not in own_text.strip() and len(own_text) <= MAX_FIELD_CHARS
    licence, source = _find_licence(
        expression=stated.strip() if isinstance(stated, str) else "",
        classifiers=[c for c in classifiers if isinstance(c, str)]
        if isinstance(classifiers, list)
        else [],
        field=own_text.strip() if is_name else "",
        text=licence_text if is_name else own_text,
    )
    return PackageMetadata(
        name=clean_name(project.get("name")),
        version=clean_name(project.get("version")),
        licence=licence,
        licence_source=source if source in {"licence file", "none"} else PYPROJECT,
    )


def _read_file(file: Path) -> bytes:
    try:
        return read_bounded(file, MAX_FILE_BYTES)
    except (OSError, ForeignDataError):
        return b""
