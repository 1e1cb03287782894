"""Finds a repository's own files and opens them; never those of another repository.

A ``.git`` file or link, a ``commondir`` or a link may lead anywhere, to another repository of the
same user too. Such a lead is followed only if what it leads to leads back, as it does for worktrees
and submodules; ``objects/info/alternates`` is not followed at all. Of the configuration a few
values are read; includes, hooks, filters, monitors and aliases have no meaning here. Called by
:mod:`training.corpus.readers.git_repository.commit_reader`.
"""

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from training.foundation.errors import ForeignDataError
from training.foundation.foreign_text import read_bounded
from training.foundation.work_trees import is_bare_repository

CONTROL = ".git"
MAX_CONFIG_BYTES = 1 << 20
MAX_REF_BYTES = 4096
HEX_DIGITS = frozenset("0123456789abcdef")
_HASH_BYTES = {"sha1": 20, "sha256": 32}
_SECTION = re.compile(rb'^\s*\[([\w.-]+)(?:\s+"((?:[^"\\\n]|\\.)*+)")?\]\s*(.*)$')
_VALUE = re.compile(rb"^\s*([A-Za-z][\w-]*)\s*(?:=\s*(.*))?$")


class RepositoryFaultError(Exception):
    """What is wrong with a repository, and what to do: the two halves of a sentence."""

    def __init__(self, found: str, advice: str = "clone it again") -> None:
        super().__init__(found)
        self.found = found
        self.advice = advice


@dataclass(frozen=True, kw_only=True)
class GitDirectory:
    """The folders of a repository, as real paths.

    Attributes:
        control: The one with HEAD; of a linked worktree, its own.
        common: The one with objects and branches.
        config: The values of ``common/config`` by section and name, in lower case.
    """

    control: Path
    common: Path
    config: dict[str, str] = field(default_factory=dict)

    @property
    def hash_name(self) -> str:
        """The hash function of its object ids: "sha1" or "sha256"."""
        return self.config.get("extensions.objectformat", "sha1").lower()

    @property
    def hash_bytes(self) -> int:
        """The length of an object id."""
        return _HASH_BYTES[self.hash_name]

    @property
    def has_reftable(self) -> bool:
        """Whether its branches and tags are in a format that is not read here."""
        return self.config.get("extensions.refstorage", "files").lower() != "files"

    def is_object_id(self, text: str) -> bool:
        """Returns whether a text is a whole object id, in hexadecimal."""
        return len(text) == 2 * self.hash_bytes and HEX_DIGITS.issuperset(text)

    def read(self, name: str, max_bytes: int) -> bytes | None:
        """Returns a file's content, or None if there is none.

        Raises:
            RepositoryFaultError: It is no regular file inside the repository, or longer.
            OSError: It cannot be read.
        """
        path = self.locate(name)
        try:
            return read_bounded(path, max_bytes)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except ForeignDataError as error:
            if path.is_dir():
                return None
            raise RepositoryFaultError(f"its file {name} cannot be used: {error}") from error

    def open(self, name: str) -> BinaryIO:
        """Opens a regular file for random access.

        Raises:
            RepositoryFaultError: It is something else.
            OSError: It cannot be opened.
        """
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        file = os.fdopen(os.open(self.locate(name), flags), "rb", buffering=0)
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise RepositoryFaultError(f"its file {name} is not a regular file")
        return file

    def locate(self, name: str) -> Path:
        """Returns the real path of a file that need not exist.

        Raises:
            RepositoryFaultError: It is a link to outside the repository.
        """
        is_own = name == "HEAD" or name.startswith(("refs/bisect/", "refs/worktree/"))
        top = self.control if is_own else self.common
        path = resolve_path(top / name)
        if not (path.is_relative_to(self.control) or path.is_relative_to(self.common)):
            raise RepositoryFaultError(
                f"its {name} is a link to {path}, outside of it", "name what it leads to instead"
            )
        return path


def find_git_directory(repository: Path) -> GitDirectory:
    """Finds the folders of a repository, of a worktree or bare.

    Raises:
        RepositoryFaultError: There is none, or what leads to it does not lead back.
        OSError: Something cannot be read.
    """
    hidden = repository / CONTROL
    if os.path.lexists(hidden):
        control = _follow_control(repository, hidden)
        has_objects = (control / "objects").is_dir()
    else:
        control = resolve_path(repository)
        has_objects = is_bare_repository(control)
    if not has_objects and not (control / "commondir").is_file():
        raise RepositoryFaultError(
            "is not a git repository", "correct sources.git or list it in sources.folders"
        )
    common = _find_common(control)
    config = read_config(common)
    found = GitDirectory(control=control, common=common, config=config)
    if found.hash_name not in _HASH_BYTES:
        raise RepositoryFaultError(
            f"has objects of the unknown format {found.hash_name!r}", "name another repository"
        )
    return found


def read_config(control: Path) -> dict[str, str]:
    """Returns the values of a repository's own ``config``, without what it includes.

    Of damaged lines nothing is taken.
    """
    try:
        data = read_bounded(control / "config", MAX_CONFIG_BYTES)
    except (OSError, ForeignDataError):
        return {}
    found: dict[str, str] = {}
    section = ""
    for line in data.split(b"\n"):
        rest = line
        if match := _SECTION.match(line):
            names = [match[1].decode("utf-8", "replace").lower()]
            names += [match[2].decode("utf-8", "replace")] if match[2] is not None else []
            section, rest = ".".join(names), match[3]
        if section and (match := _VALUE.match(rest)):
            value = re.split(rb"\s[#;]", match[2] or b"true", maxsplit=1)[0].strip()
            key = f"{section}.{match[1].decode().lower()}"
            found[key] = _unquote(value).decode("utf-8", "surrogateescape")
    return found


def resolve_path(path: Path) -> Path:
    """Returns a real path, also if it is a loop or cannot exist.

    Raises:
        RepositoryFaultError: The path is not one.
    """
    try:
        return Path(os.path.realpath(path))
    except ValueError as error:  # a NUL
        raise RepositoryFaultError("leads to a path that cannot exist") from error


def _unquote(value: bytes) -> bytes:
    return re.sub(rb'\\(.)|"', rb"\1", value)


def _follow_control(repository: Path, hidden: Path) -> Path:
    """Returns the folder that ``.git`` is or leads to."""
    if hidden.is_dir() and not hidden.is_symlink():
        return resolve_path(hidden)
    target = resolve_path(hidden)
    if hidden.is_file():
        line = _read_line(hidden)
        if not line.startswith("gitdir: "):
            raise RepositoryFaultError("has a damaged .git file")
        target = resolve_path(repository / line.removeprefix("gitdir: "))
    is_inside = target.is_relative_to(resolve_path(repository))
    if not is_inside and not _leads_back(target, repository):
        raise RepositoryFaultError(
            f"has a .git that leads to {target}, another repository",
            "name that one in sources.git if it is meant",
        )
    return target


def _leads_back(target: Path, repository: Path) -> bool:
    """Returns whether a git directory names the folder as its worktree."""
    here = resolve_path(repository)
    worktree = read_config(target).get("core.worktree")
    if worktree is not None and resolve_path(target / worktree) == here:
        return True
    back = _read_line(target / "gitdir")
    return bool(back) and resolve_path((target / back).parent) == here


def _find_common(control: Path) -> Path:
    """Returns the folder of the repository that a worktree belongs to; else the folder itself."""
    line = _read_line(control / "commondir")
    if not line:
        return control
    common = resolve_path(control / line)
    is_worktree = control.parent.name == "worktrees" and common == control.parent.parent
    if not is_worktree and common != control:
        raise RepositoryFaultError(
            f"has a commondir that leads to {common}, another repository",
            "name that one in sources.git if it is meant",
        )
    return common


def _read_line(file: Path) -> str:
    try:
        return os.fsdecode(read_bounded(file, MAX_REF_BYTES).rstrip(b"\r\n"))
    except (OSError, ForeignDataError):
        return ""
