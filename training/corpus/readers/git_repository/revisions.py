"""Finds the commit that a revision names: an id or its start, a branch or a tag, with ~ and ^.

Called by :mod:`training.corpus.readers.git_repository.commit_reader`.

Source: git's own documentation, gitrevisions.
"""

import os
import re
from dataclasses import dataclass

from training.corpus.readers.git_repository.git_directory import (
    MAX_REF_BYTES,
    GitDirectory,
    RepositoryFaultError,
)
from training.corpus.readers.git_repository.object_store import ObjectStore

_MAX_PACKED_REFS_BYTES = 256 << 20
_MAX_LINKS = 10  # of a name to another, and of a tag to another
_MAX_STEPS = 100_000
_STEPS = re.compile(r"\^\{\w*\}|\^\d*|~\d*")
_REVISION = re.compile(rf"([^~^:]+)((?:{_STEPS.pattern})*)")
_OBJECT_ID = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_PLACES = ("{}", "refs/{}", "refs/tags/{}", "refs/heads/{}", "refs/remotes/{}")
_REF_NAME = re.compile(r"(?:[A-Z_]*HEAD|refs/[^\0-\x20\x7f~^:?*\[\\]+)")


@dataclass(frozen=True, kw_only=True)
class Commit:
    """The part of a commit that matters here, with ids in hexadecimal."""

    commit_id: str
    tree: str
    parents: tuple[str, ...]


class RevisionResolver:
    """Resolves the revisions of a repository."""

    def __init__(self, directory: GitDirectory, store: ObjectStore) -> None:
        self._directory = directory
        self._store = store

    def resolve(self, revision: str) -> Commit | None:
        """Returns the commit, or None if the repository has no such name.

        Raises:
            RepositoryFaultError: The repository is damaged, or the name is not that of a commit.
            KeyError: The repository lacks an object; its id.
        """
        match = _REVISION.fullmatch(revision)
        if match is None:
            return None
        found = self._find_id("HEAD" if match[1] == "@" else match[1])
        if found is None:
            return None
        commit: Commit | None = self.read_commit(found)
        for step in _STEPS.findall(match[2]):
            if commit is not None and not step.startswith("^{"):
                commit = self._follow(commit, step[0], int(step[1:9] or "1"))
        return commit

    def is_unborn(self) -> bool:
        """Returns whether HEAD is a branch without a commit, as in a new repository."""
        head = self._directory.read("HEAD", MAX_REF_BYTES) or b""
        return head.startswith(b"ref: ") and self._read_ref("HEAD") is None

    def read_commit(self, object_id: str) -> Commit:
        """Reads a commit, or the one that a tag names."""
        for _ in range(_MAX_LINKS):
            found = self._store.read(object_id)
            head = _parse_head(found.data or b"")
            if found.kind == "commit" and len(head.get("tree", ())) == 1:
                return Commit(
                    commit_id=object_id, tree=head["tree"][0], parents=tuple(head.get("parent", ()))
                )
            if found.kind != "tag" or not head.get("object"):
                raise RepositoryFaultError(
                    f"has a {found.kind} where a commit is expected ({object_id})",
                    "name a commit in sources.git",
                )
            object_id = head["object"][0]
        raise RepositoryFaultError("has tags of tags without an end")

    def _follow(self, commit: Commit, kind: str, count: int) -> Commit | None:
        """Goes ``count`` first parents back, or to the parent of that number."""
        if kind == "^":
            if count == 0:
                return commit
            parents = commit.parents[count - 1 : count]
            return self.read_commit(parents[0]) if parents else None
        if count > _MAX_STEPS:
            return None
        for _ in range(count):
            if not commit.parents:
                return None
            commit = self.read_commit(commit.parents[0])
        return commit

    def _find_id(self, name: str) -> str | None:
        if self._directory.is_object_id(name):
            return name if self._holds(name) else None
        if self._directory.has_reftable:
            raise RepositoryFaultError(
                "keeps its branches in a reftable, which is not read",
                "name a commit by its whole id, as PATH@ID",
            )
        for place in (*_PLACES, "refs/remotes/{}/HEAD"):
            found = self._read_ref(place.format(name))
            if found is not None:
                return found
        ids = self._store.find_ids(name.lower())
        if len(ids) > 1:
            raise RepositoryFaultError(
                f"has several objects whose ids begin with {name}", "name more digits"
            )
        return ids[0] if ids else None

    def _holds(self, object_id: str) -> bool:
        try:
            self._store.read(object_id)
        except KeyError:
            return False
        return True

    def _read_ref(self, name: str) -> str | None:
        """Returns the id that a full name stands for, through names of names."""
        for _ in range(_MAX_LINKS):
            if not _REF_NAME.fullmatch(name) or ".." in name:
                return None
            data = self._directory.read(name, MAX_REF_BYTES)
            value = self._read_packed_ref(name) if data is None else os.fsdecode(data).strip()
            if value is None:
                return None
            if not value.startswith("ref:"):
                if not self._directory.is_object_id(value):
                    raise RepositoryFaultError(f"has a damaged {name}")
                return value
            name = value.removeprefix("ref:").strip()
        raise RepositoryFaultError("has names of names without an end")

    def _read_packed_ref(self, name: str) -> str | None:
        data = self._directory.read("packed-refs", _MAX_PACKED_REFS_BYTES) or b""
        lines = b"\n" + data + b"\n"
        end = lines.find(b" " + os.fsencode(name) + b"\n")
        start = lines.rfind(b"\n", 0, max(end, 0)) + 1
        return lines[start:end].decode("ascii", "replace") if end > 0 else None


def _parse_head(data: bytes) -> dict[str, list[str]]:
    """Returns the ids in the head of a commit or a tag by their names."""
    found: dict[str, list[str]] = {}
    for line in data.partition(b"\n\n")[0].split(b"\n"):
        name, _, value = line.decode("ascii", "replace").partition(" ")
        if name in {"tree", "parent", "object"} and _OBJECT_ID.fullmatch(value):
            found.setdefault(name, []).append(value)
    return found
