"""Reads a repository's tracked files at a commit, without git and without a work tree.

Untracked files are not seen, so ``.gitignore`` is respected implicitly; links and submodules are
skipped. A repository that lacks an object, or has a damaged one, is refused: half of it would teach
half of everything. Called by :mod:`training.corpus.readers.source_contents` and
:mod:`training.corpus.extraction.source_list`.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from training.corpus.config import ArchiveLimits
from training.corpus.readers.git_repository.git_directory import (
    GitDirectory,
    RepositoryFaultError,
    find_git_directory,
)
from training.corpus.readers.git_repository.object_store import ObjectStore
from training.corpus.readers.git_repository.revisions import RevisionResolver
from training.corpus.readers.package_metadata import is_project_file
from training.corpus.readers.reading_limits import BeyondLimitsError
from training.corpus.readers.source_file import (
    LICENCE_PATH,
    TOO_LARGE,
    FileSelection,
    SourceFile,
)
from training.foundation.errors import CorpusError, describe_os_error
from training.foundation.foreign_text import LFS_POINTER_HEAD

HEAD = "HEAD"
DAMAGED_PATH, LFS_POINTER = "damaged path", "git LFS pointer"
MAX_PATH_BYTES = 4096
_FREE_ENTRIES = 100_000  # of trees, of any repository; more only if it is as large
_FREE_BYTES = 1 << 20
_MAX_ROOT_FILES = 50  # metadata and licences
_MAX_TREE_BYTES = 16 << 20
_ENTRY_COST = 200  # bytes that an entry takes in memory
_FORBIDDEN_NAMES = {b"", b".", b"..", b".git"}


@dataclass(frozen=True)
class TreeEntry:
    """An entry of a tree, with its whole path."""

    mode: int
    path: bytes
    object_id: str


@dataclass(kw_only=True)
class Repository:
    """An open repository."""

    directory: GitDirectory
    store: ObjectStore
    revisions: RevisionResolver
    trees: dict[str, list[tuple[int, bytes, str]]] = field(default_factory=dict)


def split_revision(name: str) -> tuple[Path, str]:
    """Splits ``PATH@REVISION``; the path may contain an ``@`` itself."""
    at = len(name)
    while at > 0 and not os.path.lexists(name[:at]):
        at = name.rfind("@", 0, at)
    if at <= 0:
        at = (name + "@").find("@")
    return Path(name[:at]), name[at + 1 :] or HEAD


def resolve_commit(repository: Path, revision: str) -> str:
    """Returns the full id of a commit, a tag or a branch.

    Raises:
        CorpusError: The repository or the revision does not exist, or is damaged.
    """
    with open_repository(repository) as opened:
        found = opened.revisions.resolve(revision)
        if found is None:
            if opened.revisions.is_unborn():
                raise RepositoryFaultError(
                    f"has no commit {revision!r}, nor a first one",
                    "commit something, or correct sources.git",
                )
            raise RepositoryFaultError(f"has no commit {revision!r}", "correct it in sources.git")
        return found.commit_id


def read_root_files(repository: Path, commit: str, max_bytes: int) -> dict[str, bytes]:
    """Returns the files at the root of a commit that say what the project is, by their names.

    Files over ``max_bytes`` are left out.

    Raises:
        CorpusError: The repository is damaged.
    """
    with open_repository(repository) as opened:
        tree = opened.revisions.read_commit(commit).tree
        ids = {
            name.decode("utf-8", "replace"): object_id
            for mode, name, object_id in read_tree(opened, tree)
            if stat.S_ISREG(mode) and is_project_file(name.decode("utf-8", "replace"))
        }
        names = sorted(ids, key=lambda name: (bool(LICENCE_PATH.search(name)), name))
        files = {n: _read_blob(opened, ids[n], max_bytes) for n in names[:_MAX_ROOT_FILES]}
        return {name: data for name, data in files.items() if data is not None}


def read_commit(
    repository: Path,
    commit: str,
    limits: ArchiveLimits,
    selection: FileSelection,
    within: str = "",
) -> Iterator[SourceFile]:
    """Yields a commit's selected files; those that are too large without their content.

    Args:
        repository: The repository.
        commit: The whole id.
        limits: How much it may hold.
        selection: Which files are read.
        within: The folder to read, empty for all; paths are the repository's all the same.

    Raises:
        BeyondLimitsError: The repository unpacks to more than one would.
        CorpusError: It is damaged.
    """
    prefix = f"{within.strip('/')}/" if within.strip("/") else ""
    with open_repository(repository) as opened:
        tree = opened.revisions.read_commit(commit).tree
        blobs: dict[tuple[str, int], bytes | None] = {}
        n_files = n_bytes = 0
        for entry in _walk(opened, tree, _FREE_ENTRIES + opened.store.disk_bytes):
            path = entry.path.decode("utf-8", "replace")
            is_wanted = stat.S_ISREG(entry.mode) and path.startswith(prefix)
            max_bytes = selection.max_bytes_of(path) if is_wanted else 0
            if not max_bytes:
                continue
            key = (entry.object_id, max_bytes)
            if key not in blobs:
                blobs[key] = _read_blob(opened, entry.object_id, max_bytes)
            n_files += 1
            n_bytes += len(blobs[key] or b"")
            max_total = _FREE_BYTES + int(opened.store.disk_bytes * limits.max_ratio)
            is_bomb = n_bytes > min(limits.max_total_bytes, max_total)  # loose ones count as read
            if n_files > limits.max_members or is_bomb:
                raise _describe_bomb(repository, f"{n_files} files, {n_bytes} bytes")
            yield _make_file(entry.path, path, blobs[key])


def _make_file(raw_path: bytes, path: str, data: bytes | None) -> SourceFile:
    if len(raw_path) > MAX_PATH_BYTES or _FORBIDDEN_NAMES.intersection(raw_path.split(b"/")):
        return SourceFile(path=path[:MAX_PATH_BYTES], problem=DAMAGED_PATH)
    if data is None:
        return SourceFile(path=path, problem=TOO_LARGE)
    if data.startswith(LFS_POINTER_HEAD):
        return SourceFile(path=path, problem=LFS_POINTER)
    return SourceFile(path=path, data=data)


def _read_blob(opened: Repository, object_id: str, max_bytes: int) -> bytes | None:
    found = opened.store.read(object_id, max_bytes)
    if found.kind != "blob":
        raise RepositoryFaultError(f"has a {found.kind} where a file is expected ({object_id})")
    return found.data


def _walk(opened: Repository, tree: str, most: int) -> Iterator[TreeEntry]:
    """Yields the entries below a tree that are no trees, in git's order."""
    waiting = [TreeEntry(stat.S_IFDIR, b"", tree)]
    n_entries = 0
    while waiting:
        entry = waiting.pop()
        if not stat.S_ISDIR(entry.mode):
            yield entry
            continue
        below = read_tree(opened, entry.object_id)
        n_entries += 1 + len(below)
        is_deep = len(entry.path) > MAX_PATH_BYTES
        if n_entries > most or is_deep:
            what = "folders without an end" if is_deep else f"{n_entries} entries"
            raise _describe_bomb(opened.directory.common, what)
        start = entry.path + b"/" if entry.path else b""
        waiting += [TreeEntry(mode, start + name, i) for mode, name, i in reversed(below)]


def read_tree(opened: Repository, object_id: str) -> list[tuple[int, bytes, str]]:
    """Returns mode, name and id of a tree's entries; each tree is parsed once."""
    known = opened.trees.get(object_id)
    if known is not None:
        return known
    found = opened.store.read(object_id, _MAX_TREE_BYTES)
    if found.kind != "tree" or found.data is None:
        what = "folder of that size" if found.kind == "tree" else found.kind
        raise RepositoryFaultError(f"has a {what} where a folder is expected ({object_id})")
    entries = opened.trees[object_id] = list(_parse_tree(found.data, opened.directory.hash_bytes))
    opened.store.charge(_ENTRY_COST * len(entries))
    return entries


def _parse_tree(data: bytes, hash_bytes: int) -> Iterator[tuple[int, bytes, str]]:
    at = 0
    while at < len(data):
        space, end = data.find(b" ", at), data.find(b"\0", at)
        digits = data[at:space]
        if not at < space < end or not digits.isdigit() or len(data) < end + 1 + hash_bytes:
            raise RepositoryFaultError("has a damaged tree")
        try:
            mode = int(digits[:8], 8)
        except ValueError as error:
            raise RepositoryFaultError("has a damaged tree") from error
        name = data[space + 1 : end].replace(b"/", b"//")  # a name with one leads elsewhere
        at = end + 1 + hash_bytes
        yield mode, name, data[end + 1 : at].hex()


def _describe_bomb(place: Path, what: str) -> BeyondLimitsError:
    return BeyondLimitsError(
        f"{place} unpacks to more than a repository of its size would ({what});"
        " remove it from the sources"
    )


@contextmanager
def open_repository(repository: Path) -> Iterator[Repository]:
    """Opens a repository; whatever goes wrong becomes one sentence."""
    directory = store = None
    try:
        directory = find_git_directory(repository)
        store = ObjectStore(directory)
        yield Repository(
            directory=directory, store=store, revisions=RevisionResolver(directory, store)
        )
    except RepositoryFaultError as error:
        raise CorpusError(f"{repository} {error.found}; {error.advice}") from error
    except KeyError as error:
        assert directory is not None, "its objects were read"
        raise CorpusError(
            f"{repository} lacks the object {error.args[0]}, {_explain_missing(directory)}"
        ) from error
    except OSError as error:
        raise CorpusError(f"{repository} cannot be read: {describe_os_error(error)}") from error
    finally:
        if store is not None:
            store.close()


def _explain_missing(directory: GitDirectory) -> str:
    """Returns why an object may be missing, and what to do."""
    names = directory.config
    if any(name.endswith((".promisor", ".partialclonefilter")) for name in names):
        return "for it is a partial clone; clone it again without --filter"
    if directory.read("objects/info/alternates", 1 << 20):
        return (
            "for it borrows objects of another repository (objects/info/alternates), which is not"
            " read; run git repack -a -d in it, or name the other repository"
        )
    if directory.read("shallow", 1 << 26):
        return "for it is a shallow clone; run git fetch --unshallow in it"
    return "so it is damaged; clone it again"
