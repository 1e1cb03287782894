"""Which packages a config means: names compared by what the documents say, not by how they came.

A name is normalized as PEP 503 says, without the ``.git`` of a bare clone. A held-out package is
known by any of its names: that of its source, that in its metadata, the repository's without its
owner, and the top-level package of a document's path. Called by
:mod:`training.corpus.filters.screening`, :mod:`training.corpus.extraction.source_extractor` and
:mod:`training.corpus.selection.selection`.
"""

import re
from collections.abc import Iterable

from packaging.utils import canonicalize_name

_SDIST_ROOT = re.compile(r"[^/]+-\d[^/]*/")
_WHEEL_DATA = re.compile(r"[^/]+\.data/(?:purelib|platlib)/")
_SOURCE_FOLDERS = re.compile(r"(?:(?:src|lib|python)/)+")


class NamedPackages:
    """The packages that a config names.

    Args:
        names: The names as they are written there.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {normalize_name(name): name for name in names}

    def find(self, *names: str) -> str | None:
        """Returns the config's name for the package that has one of these names, or None."""
        return next((n for name in names if (n := self._names.get(normalize_name(name)))), None)

    def find_document(self, *names: str, path: str) -> str | None:
        """Returns the config's name for the package that a document belongs to, or None.

        Args:
            names: The names of its package and of its source.
            path: Its path within the source.
        """
        if not self._names:
            return None
        last = (re.split(r"[/:]", name.rstrip("/"))[-1] for name in names)
        return self.find(*names, *last, find_top_level(path))


def normalize_name(name: str) -> str:
    """Returns a package's name as it is compared."""
    return str(canonicalize_name(name.strip().rstrip("/").removesuffix(".git")))


def find_top_level(path: str) -> str:
    """Returns the top-level package or module of a document's path."""
    path = strip_archive_root(path)
    match = _SOURCE_FOLDERS.match(path)
    return path[match.end() if match else 0 :].partition("/")[0].removesuffix(".py")


def strip_archive_root(path: str) -> str:
    """Returns a path within a project: without ``NAME-VERSION/`` or what a wheel puts first."""
    for pattern in (_WHEEL_DATA, _SDIST_ROOT):
        match = pattern.match(path)
        path = path[match.end() :] if match else path
    return path
