"""The unit of reading: one file of a source, not decoded or judged yet.

Archives, repositories, folders and records all yield it. Which files are worth keeping is decided
by :mod:`training.corpus.filters`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

METADATA_PATH = re.compile(r"(?:^|/)(?:METADATA|PKG-INFO)$")
LICENCE_PATH = re.compile(r"(?:^|/)(?:LICEN[CS]E|COPYING)[^/]*$", re.IGNORECASE)
NOTEBOOK_SUFFIX = ".ipynb"
# Why a file has no content:
TOO_LARGE = "too large"
UNREADABLE = "unreadable"
SPARSE = "sparse file"
PATH_TOO_LONG = "path too long"
NOT_PYTHON = "not Python"
DAMAGED_NOTEBOOK = "damaged notebook"
PRIVATE = "private"
REPOSITORY = "repository of its own"  # a subfolder
# JSON escapes a character by up to six, and notebooks and records hold more than code.
JSON_BYTES_PER_BYTE = 8


@dataclass(frozen=True, kw_only=True)
class FileOrigin:
    """The package a file belongs to.

    Attributes:
        name: The name of its source, by which the quality table knows the package; ``heldout`` and
            ``licence_overrides`` go by ``package`` as well.
        package: Its name as it is stored with the document.
        version: Its version, or the commit.
        licence: Its SPDX expression.
        facts: Numbers that the quality rules ask for, such as ``stars``.
        quality: The level that a record states; empty if none.
    """

    name: str
    package: str
    version: str
    licence: str
    facts: Mapping[str, float] = field(default_factory=dict)
    quality: str = ""


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One file.

    Attributes:
        path: Its path within the source.
        data: Its content.
        problem: Why there is no content; None if there is.
        origin: Its package, for a record; None if the whole source is one package.
    """

    path: str
    data: bytes = b""
    problem: str | None = None
    origin: FileOrigin | None = None


@dataclass(frozen=True, kw_only=True)
class FileSelection:
    """Which files of a source are read.

    Attributes:
        max_bytes: The size up to which a file is read.
        notebooks: Whether notebooks are, too.
        nested_repositories: Whether the files of repositories below a folder are.
    """

    max_bytes: int
    notebooks: bool = False
    nested_repositories: bool = False

    def max_bytes_of(self, path: str) -> int:
        """Returns the size up to which the file is read; 0 if it is not wanted at all."""
        if path.endswith(".py") or METADATA_PATH.search(path) or LICENCE_PATH.search(path):
            return self.max_bytes
        if self.notebooks and path.endswith(NOTEBOOK_SUFFIX):
            return self.max_bytes * JSON_BYTES_PER_BYTE
        return 0
