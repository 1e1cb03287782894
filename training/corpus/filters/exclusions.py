"""Repositories, packages and paths that are left out because their authors opted out.

A list of theirs is a text file: one name a line, or a name and, behind white space, a path or a
pattern within it; of an sdist, with its folder ``NAME-VERSION/`` or without it.
``https://github.com/OWNER/NAME`` is OWNER/NAME. Called by
:mod:`training.corpus.filters.screening`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from training.corpus.readers.package_names import normalize_name, strip_archive_root
from training.foundation.errors import CorpusError
from training.foundation.foreign_text import read_bounded

EXCLUDED = "excluded"
MAX_LIST_BYTES = 256 << 20
_COMMENT = re.compile(r"(?:^|\s)#")
_HOST = re.compile(
    r"^(?:(?:https?|ssh|git)://(?:[^/@]*@)?[^/:]+(?::\d+)?/|git@[^/:]+[/:]"
    r"|(?:www\.)?(?:github|gitlab)\.com/)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Exclusions:
    """What is left out: patterns of paths by normalized name; the pattern ``*`` stands for all."""

    paths: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path | None) -> "Exclusions":
        """Reads a list; None for an empty one.

        Raises:
            CorpusError: The list cannot be read.
        """
        if file is None:
            return cls()
        try:
            lines = read_bounded(file, MAX_LIST_BYTES).decode("utf-8-sig").splitlines()
        except (OSError, ValueError) as error:
            raise CorpusError(
                f"cannot read the list of exclusions {file} ({error}); correct 'exclude'"
            ) from error
        return cls.parse(lines)

    @classmethod
    def parse(cls, lines: Iterable[str]) -> "Exclusions":
        """Reads the lines of a list; what follows ``#`` at a word's start is a comment."""
        found: dict[str, list[str]] = {}
        for line in lines:
            words = _COMMENT.split(line, maxsplit=1)[0].split(maxsplit=1)
            if words:
                path = words[1].strip() if len(words) > 1 else "*"
                found.setdefault(_normalize(words[0]), []).append(path)
        return cls(found)

    def excludes(self, *names: str, path: str) -> bool:
        """Returns whether a document is left out, by the names of its package and its path."""
        if not self.paths:
            return False
        patterns = {p for name in names for p in self.paths.get(_normalize(name), ())}
        places = {path, strip_archive_root(path)}
        return any(_matches(place, pattern) for pattern in patterns for place in places)


def _matches(path: str, pattern: str) -> bool:
    pattern = pattern.removeprefix("./").removeprefix("/")
    return (
        path == pattern or fnmatchcase(path, pattern) or path.startswith(f"{pattern.rstrip('/')}/")
    )


def _normalize(name: str) -> str:
    return normalize_name(_HOST.sub("", name))
