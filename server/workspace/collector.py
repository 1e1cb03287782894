"""Collects what other files contribute to a request; it changes rarely, so that caches stay valid.

Lines that look like secrets are left out, as in :mod:`server.workspace.sources`.

A new snapshot is due once the cursor has left its neighbourhood or some time has passed. Collecting
reads files, so it belongs in a thread of its own.
"""

import os
import re
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from server.workspace.imported_modules import Import, ImportedModules, Module
from server.workspace.private_files import is_private
from server.workspace.similar_snippets import find_most_similar
from server.workspace.snapshot import WorkspaceSnapshot
from server.workspace.sources.secret_shapes import holds_key, without_secrets
from server.workspace.uris import file_name, path_of

_NEAR_LINES = 32
_MAX_AGE_S = 20.0
_AROUND_CHARS = 1500  # of the document, to compare with other files' snippets
_MAX_CONTEXT_CHARS = 2400  # some 600 tokens, the last of which fit the budget
_MAX_NAMES = 20_000
_MAX_OPEN_FILES = 6  # of which text is compared
_MAX_FILE_CHARS = 64_000
_NAME = re.compile(r"[^\W\d]\w*")
_WHOLE_MODULE_DEFINITIONS = 4  # shown of a module that is imported as a whole


class WorkspaceCollector:
    """Collects snapshots, and remembers for which place it did so last.

    Args:
        roots: The workspace's folders.
        private_globs: Files to leave alone, besides those that may hold secrets.
        is_sent_away: Whether another machine gets the text, so that open documents from elsewhere
            contribute none.
    """

    def __init__(
        self, roots: Sequence[Path], private_globs: Sequence[str], *, is_sent_away: bool = False
    ) -> None:
        self._modules = ImportedModules(roots, private_globs)
        self._roots = roots
        self._globs = private_globs
        self._is_sent_away = is_sent_away
        self._last_place: tuple[str, int] | None = None
        self._last_time = 0.0

    def is_due(self, uri: str, text: str, offset: int) -> bool:
        """Returns whether a new snapshot is due at a place; if so, it counts as collected."""
        near = (uri, text.count("\n", 0, offset) // _NEAR_LINES)
        now = time.monotonic()
        if near == self._last_place and now - self._last_time <= _MAX_AGE_S:
            return False
        self._last_place, self._last_time = near, now
        return True

    def collect(
        self, uri: str, text: str, offset: int, open_texts: Mapping[str, str]
    ) -> WorkspaceSnapshot:
        """Returns the snapshot for a place.

        Args:
            uri: The document's.
            text: Its text.
            offset: The cursor.
            open_texts: The texts of all open documents by URI, the last edited first.
        """
        readable = (
            (other, content[:_MAX_FILE_CHARS])
            for other, content in open_texts.items()
            if other != uri and not is_private(other, self._globs) and not holds_key(content)
        )
        others = dict(islice(readable, _MAX_OPEN_FILES))
        imported = self._modules.find(text, path_of(uri))
        names: set[str] = set()
        for module, _ in imported:
            names |= module.names
        for content in others.values():
            names.update(_NAME.findall(content))
        around = text[max(0, offset - _AROUND_CHARS) : offset + _AROUND_CHARS // 2]
        if self._is_sent_away:
            roots = list(map(os.path.realpath, self._roots))
            others = {other: content for other, content in others.items() if _lies_in(other, roots)}
        similar = find_most_similar(around, others)
        parts = [] if similar is None else [_add_title(file_name(similar[0]), similar[1])]
        parts += [_add_title(module.path, lines) for module, lines in _outline(imported)]
        return WorkspaceSnapshot(
            context_text=_last_lines("".join(map(without_secrets, parts))),
            names=frozenset(sorted(names)[:_MAX_NAMES]),
        )


def _lies_in(uri: str, roots: Sequence[str]) -> bool:
    """Returns whether a document is a file of folders, named by real paths, also behind links."""
    path = path_of(uri)
    if path is None:
        return False
    target = Path(os.path.realpath(path))
    return any(map(target.is_relative_to, roots))


def _outline(imported: Sequence[tuple[Module, Import]]) -> list[tuple[Module, str]]:
    """Returns each module once with its imported definitions; leaves out those without any."""
    outlines: dict[str, tuple[Module, dict[str, str]]] = {}
    for module, wanted in imported:
        names = wanted.names or tuple(module.definitions)[:_WHOLE_MODULE_DEFINITIONS]
        _, lines = outlines.setdefault(module.path, (module, {}))
        lines |= {name: module.definitions[name] for name in names if name in module.definitions}
    return [(module, "".join(lines.values())) for module, lines in outlines.values() if lines]


def _last_lines(text: str) -> str:
    """Returns as many whole lines from the end of a text as fit."""
    if len(text) <= _MAX_CONTEXT_CHARS:
        return text
    return text[-_MAX_CONTEXT_CHARS:].partition("\n")[2]


def _add_title(name: str, lines: str) -> str:
    return f"# {name}\n{lines.rstrip()}\n\n"
