"""The queue of commits to publish: ``RUN/outbox``, a folder that survives a kill.

A queued commit is a folder ``NUMBER-KIND-STEP`` with its files, written aside and renamed. Files of
checkpoints are hard links, so that rotating checkpoints does not affect the queue, and the queue
takes no space while the checkpoint exists. One process adds commits (the training); the one that
holds :meth:`Outbox.lock` removes them. ``target.json`` records where they go, ``queued.json`` the
step of the last one.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from training.foundation.atomic_files import write_directory_atomically, write_json_atomically
from training.foundation.config_schema import from_mapping, to_mapping
from training.foundation.errors import ConfigError, PrerequisiteError
from training.foundation.folder_lock import folder_lock

CommitKind = Literal["tokenizer", "checkpoint", "model"]
_LEFT_BEHIND = re.compile(rf"\.\d+-(?:{'|'.join(get_args(CommitKind))})-\d+\.(?:gone$|new-|old-)")
_TARGET_FILE, _QUEUED_FILE = "target.json", "queued.json"


@dataclass(frozen=True, kw_only=True)
class PublishTarget:
    """The repository and branch that the commits go to."""

    repo: str
    private: bool
    branch: str


@dataclass(frozen=True)
class QueuedCommit:
    """The files of one commit; a lower number is older."""

    number: int
    kind: CommitKind
    step: int
    path: Path

    @property
    def title(self) -> str:
        """The commit's title."""
        return {
            "tokenizer": "Tokenizer",
            "checkpoint": f"Step {self.step}",
            "model": f"Step {self.step}, finished",
        }[self.kind]


class Outbox:
    """The queue in a run's folder."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.path = run / "outbox"

    def target(self) -> PublishTarget | None:
        """Returns where the commits go, or None before the run has started to publish.

        Raises:
            PrerequisiteError: The record is damaged.
        """
        file = self.path / _TARGET_FILE
        try:
            return from_mapping(PublishTarget, json.loads(file.read_text("utf-8")), where=str(file))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, ConfigError) as error:
            raise PrerequisiteError(
                f"{file} cannot be read ({error}); remove it and start the run again"
            ) from error

    def set_target(self, target: PublishTarget) -> None:
        """Records where the commits go."""
        write_json_atomically(self.path / _TARGET_FILE, to_mapping(target))

    def queued_step(self) -> int:
        """Returns the step of the newest commit, sent or not; 0 before the first.

        The record is written after the commit is queued, so queued commits count as well.
        """
        try:
            recorded = int(json.loads((self.path / _QUEUED_FILE).read_text("utf-8"))["step"])
        except (OSError, ValueError, TypeError, KeyError):
            recorded = 0  # a commit sent twice changes nothing
        return max([recorded, *(commit.step for commit in self.commits())])

    def commits(self) -> list[QueuedCommit]:
        """Lists the queued commits in sending order: the tokenizer, then the others by age."""
        if not self.path.is_dir():
            return []
        found = (commit for path in self.path.iterdir() if (commit := _parse_commit(path)))
        return sorted(found, key=lambda commit: (commit.kind != "tokenizer", commit.number))

    def add(self, kind: CommitKind, step: int, write: Callable[[Path], None]) -> None:
        """Adds a commit to the end of the queue; ``write`` fills the folder it is given.

        Raises:
            OSError: It could not be written; the queue is unchanged.
        """
        number = 1 + max((commit.number for commit in self.commits()), default=0)
        with write_directory_atomically(self.path / f"{number:06d}-{kind}-{step:08d}") as aside:
            write(aside)
        write_json_atomically(self.path / _QUEUED_FILE, {"step": step})

    def drop_excess(self, most: int) -> list[QueuedCommit]:
        """Removes the oldest checkpoints in excess of ``most``, and returns them.

        The first commit of the queue stays, since it may be being sent.
        """
        waiting = [commit for commit in self.commits() if commit.kind == "checkpoint"]
        droppable = [commit for commit in self.commits()[1:] if commit.kind == "checkpoint"]
        dropped = droppable[: max(0, len(waiting) - most)]
        for commit in dropped:
            self.remove(commit)
        return dropped

    def remove(self, commit: QueuedCommit) -> None:
        """Removes a commit, atomically even if killed; it may have been removed already."""
        gone = self.path / f".{commit.path.name}.gone"
        with suppress(FileNotFoundError):
            commit.path.rename(gone)
        _remove_folder(gone)

    def clean_up(self) -> None:
        """Removes what a kill left half written or half removed; for the process that adds."""
        for path in self.path.glob(".*"):
            if _LEFT_BEHIND.match(path.name) and path.is_dir() and not path.is_symlink():
                _remove_folder(path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the queue's lock: only this process sends and removes until the block ends.

        Raises:
            FolderInUseError: Another process is sending.
        """
        with folder_lock(self.path):
            yield


def _remove_folder(path: Path) -> None:
    """Removes a folder that another process may be removing at the same time.

    A folder that cannot be removed is hidden already, and :meth:`Outbox.clean_up` tries again.
    """
    shutil.rmtree(path, ignore_errors=True)


def _parse_commit(path: Path) -> QueuedCommit | None:
    parts = path.name.split("-")
    match parts:
        case [number, kind, step] if number.isdigit() and step.isdigit() and path.is_dir():
            for known in get_args(CommitKind):
                if kind == known:
                    return QueuedCommit(int(number), known, int(step), path)
    return None
