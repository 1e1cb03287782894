"""What a repository's history says: the commit it began with, and which files changed last.

Histories are followed along first parents, from a commit back. Called by
:mod:`training.adaptation`.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.corpus.readers.git_repository.commit_reader import (
    Repository,
    open_repository,
    read_tree,
)

_MAX_COMMITS = 1_000_000  # a history that is longer is a loop
_MAX_DEPTH = 200


@dataclass(frozen=True, kw_only=True)
class Change:
    """The files that a commit added or changed, by path."""

    commit_id: str
    paths: tuple[str, ...]


def find_first_commit(repository: Path, commit: str) -> str:
    """Returns the commit with which the history of a commit began.

    Raises:
        CorpusError: The repository is damaged.
    """
    with open_repository(repository) as opened:
        found = opened.revisions.read_commit(commit)
        for _ in range(_MAX_COMMITS):
            if not found.parents or not _has_commit(opened, found.parents[0]):
                break  # the first one, or the border of a shallow clone
            found = opened.revisions.read_commit(found.parents[0])
        return found.commit_id


def list_changes(repository: Path, commit: str, most: int) -> list[Change]:
    """Returns what the newest commits changed, the newest first, without the first commit.

    Args:
        repository: The repository.
        commit: The newest commit.
        most: How many commits to look at.

    Raises:
        CorpusError: The repository is damaged.
    """
    changes: list[Change] = []
    with open_repository(repository) as opened:
        newer = opened.revisions.read_commit(commit)
        while len(changes) < most and newer.parents and _has_commit(opened, newer.parents[0]):
            older = opened.revisions.read_commit(newer.parents[0])
            paths = tuple(_compare_trees(opened, newer.tree, older.tree))
            changes.append(Change(commit_id=newer.commit_id, paths=paths))
            newer = older
    return changes


def _has_commit(opened: Repository, commit: str) -> bool:
    try:
        opened.store.read(commit)
    except KeyError:
        return False
    return True


def _compare_trees(opened: Repository, newer: str, older: str | None) -> Iterator[str]:
    """Yields the files of a tree that are not in another one as they are."""
    waiting: list[tuple[bytes, str, str | None]] = [(b"", newer, older)]
    while waiting:
        prefix, new_id, old_id = waiting.pop()
        if new_id == old_id or prefix.count(b"/") > _MAX_DEPTH:
            continue
        before = {} if old_id is None else {n: (m, i) for m, n, i in read_tree(opened, old_id)}
        for mode, name, object_id in read_tree(opened, new_id):
            old_mode, old_object = before.get(name, (0, None))
            if old_object == object_id:
                continue
            if stat.S_ISDIR(mode):
                old_folder = old_object if stat.S_ISDIR(old_mode) else None
                waiting.append((prefix + name + b"/", object_id, old_folder))
            elif stat.S_ISREG(mode):
                yield (prefix + name).decode("utf-8", "replace")
