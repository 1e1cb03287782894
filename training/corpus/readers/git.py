"""Reads a git repository's tracked files at a commit, without git and without a work tree.

Untracked files are not seen, so ``.gitignore`` is respected implicitly; links and submodules are
skipped. For plain folders, :class:`IgnoreRules` applies their ``.gitignore`` files. Called by
:mod:`training.corpus.readers.source_contents` and :mod:`training.corpus.readers.folders`.
"""

import stat
from collections.abc import Iterator
from pathlib import Path

from dulwich.errors import NotGitRepository
from dulwich.ignore import IgnoreFilter
from dulwich.object_store import iter_tree_contents
from dulwich.objects import Blob
from dulwich.objectspec import parse_commit
from dulwich.repo import Repo

from training.corpus.readers.source_file import TOO_LARGE, SourceFile, is_relevant
from training.foundation.errors import CorpusError

IGNORE_FILE = ".gitignore"


def resolve_commit(repository: Path, revision: str) -> str:
    """Returns the full id of a commit, a tag or a branch.

    Raises:
        CorpusError: The repository or the revision does not exist.
    """
    try:
        with Repo(str(repository)) as repo:
            return parse_commit(repo, revision).id.decode()
    except (NotGitRepository, OSError) as error:
        raise CorpusError(
            f"{repository} is not a git repository; correct sources.git or list it in"
            " sources.folders"
        ) from error
    except (KeyError, ValueError) as error:
        raise CorpusError(
            f"{repository} has no commit {revision!r}; correct it in sources.git"
        ) from error


def read_commit(repository: Path, commit: str, max_bytes: int) -> Iterator[SourceFile]:
    """Yields a commit's Python, metadata and licence files.

    Files over ``max_bytes`` come without their content.
    """
    with Repo(str(repository)) as repo:
        tree = parse_commit(repo, commit).tree
        for entry in iter_tree_contents(repo.object_store, tree):
            path = entry.path.decode("utf-8", "replace")
            if not stat.S_ISREG(entry.mode) or not is_relevant(path):
                continue
            blob = repo[entry.sha]
            if not isinstance(blob, Blob):
                continue
            if blob.raw_length() > max_bytes:
                yield SourceFile(path=path, problem=TOO_LARGE)
            else:
                yield SourceFile(path=path, data=blob.data)


class IgnoreRules:
    """The ``.gitignore`` files of a folder tree; each applies to the paths below it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._filters: dict[Path, IgnoreFilter | None] = {}

    def ignores(self, path: Path, *, is_folder: bool) -> bool:
        """Returns whether the nearest rule that matches a path ignores it."""
        for folder in path.parents:
            rules = self._load(folder)
            if rules is not None:
                relative = path.relative_to(folder).as_posix() + ("/" if is_folder else "")
                verdict = rules.is_ignored(relative)
                if verdict is not None:
                    return bool(verdict)
            if folder == self._root:
                break
        return False

    def _load(self, folder: Path) -> IgnoreFilter | None:
        if folder not in self._filters:
            file = folder / IGNORE_FILE
            try:
                found = IgnoreFilter.from_path(str(file)) if file.is_file() else None
            except (OSError, UnicodeDecodeError):
                found = None
            self._filters[folder] = found
        return self._filters[folder]
