"""The unit of reading: one file of a source, not decoded or judged yet.

Archives, repositories, folders and records all yield it. Which files are worth keeping is decided
by :mod:`training.corpus.filters`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

METADATA_PATH = re.compile(r"(?:^|/)(?:METADATA|PKG-INFO)$")
LICENCE_PATH = re.compile(r"(?:^|/)(?:LICEN[CS]E|COPYING)[^/]*$", re.IGNORECASE)
TOO_LARGE = "too large"
UNREADABLE = "unreadable"


@dataclass(frozen=True, kw_only=True)
class FileOrigin:
    """The package a file belongs to.

    Attributes:
        name: How the package is looked up in ``heldout``, ``licence_overrides`` and the quality
            table.
        package: Its name as it is stored with the document.
        version: Its version, or the commit.
        licence: Its SPDX expression.
        facts: Numbers that the quality rules ask for, such as ``stars``.
    """

    name: str
    package: str
    version: str
    licence: str
    facts: Mapping[str, float] = field(default_factory=dict)


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


def is_relevant(path: str) -> bool:
    """Returns whether a path is that of Python code, package metadata or a licence."""
    return path.endswith(".py") or bool(METADATA_PATH.search(path) or LICENCE_PATH.search(path))
