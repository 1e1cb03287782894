"""What a workspace holds to learn from: the Python files of its commit, or of its folder.

These are names and sizes, by which a plan is made; the corpus filters what is learned from. Called
by :mod:`training.adaptation.adaptation_plan`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from training.corpus.config import ArchiveLimits, FilterConfig
from training.corpus.filters.path_filters import is_vendored
from training.corpus.readers.folders import read_folder
from training.corpus.readers.git_repository.commit_history import find_first_commit, list_changes
from training.corpus.readers.git_repository.commit_reader import read_commit, resolve_commit
from training.corpus.readers.source_file import FileSelection, SourceFile
from training.foundation.privacy.private_paths import is_private_path, list_folder_names
from training.foundation.work_trees import find_work_tree

MAX_COMMITS = 300  # in which the newest files are looked for
_HASH_CHARS = 16


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """The size and the hash of a file."""

    n_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class WorkspaceFiles:
    """The files of a workspace, and where they come from.

    Attributes:
        folder: The workspace.
        repository: The top of the work tree; None without git.
        commit: The commit that was read; empty without git.
        root_commit: The first commit of its history.
        subfolder: The workspace within the repository; empty for all of it.
        files: The Python files, by their paths in the repository or folder.
        changes: What each of the newest commits changed, the newest first.
    """

    folder: Path
    repository: Path | None
    commit: str
    root_commit: str
    subfolder: str
    files: Mapping[str, FileFacts]
    changes: tuple[tuple[str, ...], ...]


def read_workspace(
    folder: Path, private_globs: tuple[str, ...], *, commit: str = ""
) -> WorkspaceFiles:
    """Lists a workspace's files.

    Args:
        folder: The workspace.
        private_globs: The user's private files.
        commit: What to read; empty for the newest.

    Raises:
        CorpusError: The repository or the folder cannot be read.
    """
    folder = folder.resolve()
    repository = find_work_tree(folder)
    filters = FilterConfig()
    selection = FileSelection(max_bytes=filters.max_bytes)
    names = list_folder_names(repository or folder)

    def is_wanted(file: SourceFile) -> bool:
        is_private = is_private_path(file.path, private_globs, names)
        return not is_private and _is_code(file, filters)

    if repository is None:
        own = replace(selection, nested_repositories=True)  # of which a workspace may consist
        found = read_folder(folder, part="", files=(), selection=own)
        files = {f.path: _describe(f) for f in found if is_wanted(f)}
        return WorkspaceFiles(
            folder=folder, repository=None, commit="", root_commit="", subfolder="",
            files=files, changes=(),
        )  # fmt: skip
    commit = resolve_commit(repository, commit or "HEAD")
    subfolder = "" if folder == repository else folder.relative_to(repository).as_posix()
    found = read_commit(repository, commit, ArchiveLimits(), selection, subfolder)
    return WorkspaceFiles(
        folder=folder,
        repository=repository,
        commit=commit,
        root_commit=find_first_commit(repository, commit),
        subfolder=subfolder,
        files={f.path: _describe(f) for f in found if is_wanted(f)},
        changes=tuple(change.paths for change in list_changes(repository, commit, MAX_COMMITS)),
    )


def _is_code(file: SourceFile, filters: FilterConfig) -> bool:
    return (
        file.problem is None
        and file.path.endswith(".py")
        and len(file.data) >= filters.min_bytes
        and not is_vendored(file.path)
    )


def _describe(file: SourceFile) -> FileFacts:
    digest = hashlib.sha256(file.data).hexdigest()
    return FileFacts(n_bytes=len(file.data), sha256=digest[:_HASH_CHARS])
