"""What the double of the Hub remembers: repositories with commits, branches and pull requests."""

import hashlib
import itertools
from dataclasses import dataclass, field

LARGE_FILES = (".safetensors", ".parquet")  # kept by SHA-256 beside the commits, as the Hub does
DATE = "2025-01-01T00:00:00.000Z"
MAIN = "refs/heads/main"


@dataclass(frozen=True)
class File:
    """A file of a commit: its content stands in the store, under ``sha256`` if it is large."""

    oid: str  # of git: of a large file that of its pointer
    size: int
    sha256: str | None = None

    @property
    def key(self):
        return self.sha256 or self.oid

    @classmethod
    def of(cls, content, *, is_large):
        if not is_large:
            return cls(git_oid(content), len(content))
        sha256 = hashlib.sha256(content).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\n"
        return cls(git_oid(pointer.encode()), len(content), sha256)


@dataclass(frozen=True)
class Commit:
    oid: str
    parent: str | None
    title: str
    tree: dict


@dataclass
class PullRequest:
    number: int
    title: str
    status: str = "open"


@dataclass
class Repository:
    """One repository; revisions are branches, pull requests or commits."""

    name: str
    kind: str
    private: bool
    commits: dict = field(default_factory=dict)
    refs: dict = field(default_factory=dict)
    requests: dict = field(default_factory=dict)
    _numbers: itertools.count = field(default_factory=itertools.count)

    def __post_init__(self):
        self.refs[MAIN] = self.add(None, "initial commit", {})

    def add(self, parent, title, tree):
        oid = hashlib.sha1(f"{self.name}{next(self._numbers)}".encode()).hexdigest()
        self.commits[oid] = Commit(oid, parent, title, tree)
        return oid

    def ref(self, revision):
        """Returns the full name of a branch or a pull request, or None."""
        names = (revision, f"refs/heads/{revision}")
        return next((name for name in names if name in self.refs), None)

    def find(self, revision):
        """Returns the commit of a revision, or None."""
        return self.commits.get(self.refs.get(self.ref(revision), revision))

    def history(self, revision):
        """Yields the commits of a revision, newest first."""
        commit = self.find(revision)
        while commit is not None:
            yield commit
            commit = self.commits.get(commit.parent)

    def titles(self, revision="main"):
        """Returns what the commits are called, oldest first."""
        return [commit.title for commit in self.history(revision)][::-1]

    def open_request(self, title, tree):
        """Opens a pull request of one commit on main."""
        request = PullRequest(len(self.requests) + 1, title)
        self.requests[request.number] = request
        self.refs[f"refs/pr/{request.number}"] = self.add(self.refs[MAIN], title, tree)
        return request

    def merge(self, number):
        """Brings to main what the request's commit has changed since its parent."""
        request, head = self.requests[number], self.find(f"refs/pr/{number}")
        base, tree = self.commits[head.parent].tree, dict(self.find("main").tree)
        for path in base.keys() - head.tree.keys():
            tree.pop(path, None)
        tree |= {path: f for path, f in head.tree.items() if base.get(path) != f}
        self.refs[MAIN] = self.add(self.refs[MAIN], f"{request.title} (#{number})", tree)
        request.status = "merged"


def git_oid(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
