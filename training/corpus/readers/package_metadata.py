"""What a package says about itself: name, version and licence.

The licence comes from ``License-Expression``, else the classifiers, else the ``License`` field,
else the text of the licence file. Nothing is built or executed, so what a ``pyproject.toml`` leaves
to its build back end ("dynamic") stays unknown. Licence headers of single files are the text
filters' business.
"""

import re
import tomllib
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from training.corpus.licences import SPELLINGS, UNKNOWN, detect_licence
from training.corpus.readers.source_file import LICENCE_PATH, METADATA_PATH, SourceFile

MAX_FILE_BYTES = 1 << 20
MAX_FIELD_CHARS = 80
_CLASSIFIERS = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
}
_FAMILY_CLASSIFIERS = {"BSD License"}  # two or three clauses: only the licence file tells


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

    def result(self) -> PackageMetadata:
        """Returns what the files found so far say."""
        texts = {kind: data.decode("utf-8", "replace") for kind, (_, data) in self._best.items()}
        return parse_metadata(texts.get("metadata", ""), texts.get("licence", ""))


def parse_metadata(metadata: str, licence_text: str) -> PackageMetadata:
    """Parses a ``METADATA`` or ``PKG-INFO`` file; the licence file's text is the last resort."""
    message = HeaderParser().parsestr(metadata)
    licence, source = _parse_licence(
        expression=(message.get("License-Expression") or "").strip(),
        classifiers=[
            c.split("::")[-1].strip()
            for c in message.get_all("Classifier", [])
            if c.startswith("License ::")
        ],
        field=(message.get("License") or "").strip().partition("\n")[0][:MAX_FIELD_CHARS],
    )
    if licence == UNKNOWN:
        guess = detect_licence(licence_text)
        licence, source = (guess, "licence file") if guess else (UNKNOWN, "none")
    return PackageMetadata(
        name=message.get("Name", ""),
        version=message.get("Version", ""),
        licence=licence,
        licence_source=source,
    )


def _parse_licence(*, expression: str, classifiers: list[str], field: str) -> tuple[str, str]:
    if expression:
        return expression, "License-Expression"
    named = [c for c in classifiers if c != "OSI Approved"]
    if named and not _FAMILY_CLASSIFIERS.intersection(named):
        return " AND ".join(_CLASSIFIERS.get(c, c) for c in named), "classifier"
    if field and not named:
        return SPELLINGS.get(field, field), "License field"
    return UNKNOWN, "none"


def read_folder_metadata(folder: Path, licence: str | None) -> PackageMetadata:
    """Reads a local folder's metadata: ``PKG-INFO`` of an unpacked sdist, else ``pyproject.toml``.

    Args:
        folder: The folder.
        licence: The licence that the config states; None to use the folder's own.
    """
    licence_text = _read_licence_text(folder)
    pkg_info = _read_text(folder / "PKG-INFO")
    found = (
        parse_metadata(pkg_info, licence_text)
        if pkg_info
        else parse_pyproject(_read_text(folder / "pyproject.toml"), licence_text)
    )
    return PackageMetadata(
        name=found.name or folder.resolve().name,
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
    licence = project.get("license")
    source = "pyproject.toml"
    if not isinstance(licence, str):
        licence = detect_licence(licence_text)
        source = "licence file" if licence else "none"
    return PackageMetadata(
        name=str(project.get("name", "")),
        version=str(project.get("version", "")),
        licence=licence or UNKNOWN,
        licence_source=source,
    )


def _read_licence_text(folder: Path) -> str:
    for file in sorted(folder.iterdir()):
        if LICENCE_PATH.search(file.name) and file.is_file():
            return _read_text(file)
    return ""


def _read_text(file: Path) -> str:
    try:
        if not file.is_file() or file.stat().st_size > MAX_FILE_BYTES:
            return ""
        return file.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
