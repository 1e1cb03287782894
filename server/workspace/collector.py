"""What a request is told of other files; the same while the cursor stays near, so that caches hold.

Asked before each request whether to look anew, which is so when the cursor has left its
neighbourhood or some time has gone by. Looking reads files, and is for a thread of its own.
"""

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from server.suggestion.privacy import is_private
from server.workspace.imported_modules import Import, Module, Modules
from server.workspace.similar_snippets import most_similar
from server.workspace.snapshot import WorkspaceSnapshot

_NEAR_LINES = 32
_SECONDS = 20.0
_AROUND_CHARS = 1500  # of the document, that another file's piece is to be like
_MOST_CHARS = 2400  # of context: some six hundred tokens, of which the budget takes the last
_MOST_NAMES = 20_000
_MOST_OTHERS = 6  # open files that are looked into
_OTHER_CHARS = 64_000
_NAME = re.compile(r"[^\W\d]\w*")
_EVERYTHING = 4  # definitions of a module that is imported as a whole


class Knowledge:
    """Knows the workspace's folders, and remembers where it looked last.

    Args:
        roots: The workspace's folders.
        private_globs: Files that are left alone, beside those of secrets.
    """

    def __init__(self, roots: Sequence[Path], private_globs: Sequence[str]) -> None:
        self._modules = Modules(roots, private_globs)
        self._globs = private_globs
        self._for: tuple[str, int] | None = None
        self._at = 0.0

    def is_due(self, uri: str, text: str, offset: int) -> bool:
        """Says whether to look anew for a place, and takes it that this is done."""
        near = (uri, text.count("\n", 0, offset) // _NEAR_LINES)
        now = time.monotonic()
        if near == self._for and now - self._at <= _SECONDS:
            return False
        self._for, self._at = near, now
        return True

    def look(
        self, uri: str, text: str, offset: int, open_texts: Mapping[str, str]
    ) -> WorkspaceSnapshot:
        """Returns what is known for a place.

        Args:
            uri: The document's.
            text: Its text.
            offset: The cursor.
            open_texts: The texts of all open documents by URI, the latest edited first.
        """
        readable = {
            other: content[:_OTHER_CHARS]
            for other, content in open_texts.items()
            if other != uri and not is_private(other, self._globs)
        }
        others = dict(list(readable.items())[:_MOST_OTHERS])
        imported = self._modules.imported_by(text, path_of(uri))
        names: set[str] = set()
        for module, _ in imported:
            names |= module.names
        for content in others.values():
            names.update(_NAME.findall(content))
        around = text[max(0, offset - _AROUND_CHARS) : offset + _AROUND_CHARS // 2]
        similar = most_similar(around, others)
        parts = [] if similar is None else [_titled(_file_name(similar[0]), similar[1])]
        parts += [_titled(module.path, told) for module, told in _told_of(imported)]
        return WorkspaceSnapshot(
            context_text=_last_lines("".join(parts)),
            names=frozenset(sorted(names)[:_MOST_NAMES]),
        )


def path_of(uri: str) -> Path | None:
    """Returns a document's file, None if it is none."""
    parts = urlsplit(uri)
    return Path(url2pathname(unquote(parts.path))) if parts.scheme == "file" else None


def _told_of(imported: Sequence[tuple[Module, Import]]) -> list[tuple[Module, str]]:
    """Returns each module once, with what is told of it; nothing of what tells nothing."""
    told: dict[str, tuple[Module, dict[str, str]]] = {}
    for module, wanted in imported:
        names = wanted.names or tuple(module.definitions)[:_EVERYTHING]
        _, lines = told.setdefault(module.path, (module, {}))
        lines |= {name: module.definitions[name] for name in names if name in module.definitions}
    return [(module, "".join(lines.values())) for module, lines in told.values() if lines]


def _last_lines(text: str) -> str:
    """Returns the whole lines at a text's end that are not too many."""
    return text if len(text) <= _MOST_CHARS else text[-_MOST_CHARS:].partition("\n")[2]


def _titled(name: str, lines: str) -> str:
    return f"# {name}\n{lines.rstrip()}\n\n"


def _file_name(uri: str) -> str:
    return unquote(urlsplit(uri).path).rpartition("/")[2]
