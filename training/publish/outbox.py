"""What waits to be published: ``RUN/outbox``, a folder of entries that survive a kill.

An entry is a folder ``NUMBER-KIND-STEP`` with the files of one commit, written aside and renamed.
Files of checkpoints are hard links, so that the rotation of checkpoints takes nothing from what
waits, and what waits takes no room while its checkpoint is there. One process adds (the training);
whoever holds :meth:`Outbox.sending` removes. ``target.json`` says where they go, ``queued.json``
which step was added last.
"""

import json
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

Kind = Literal["tokenizer", "checkpoint", "model"]
_TARGET_FILE, _QUEUED_FILE = "target.json", "queued.json"


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where on the Hub the entries go."""

    repo: str
    private: bool
    branch: str


@dataclass(frozen=True)
class Entry:
    """The files of one commit; a lower number is older."""

    number: int
    kind: Kind
    step: int
    path: Path

    @property
    def title(self) -> str:
        """What the commit is called."""
        return {
            "tokenizer": "Tokenizer",
            "checkpoint": f"Step {self.step}",
            "model": f"Step {self.step}, finished",
        }[self.kind]


class Outbox:
    """The queue in a run's folder."""

    def __init__(self, run: Path) -> None:
        self.path = run / "outbox"

    def target(self) -> Target | None:
        """Returns where the entries go, or None before the run has begun to publish.

        Raises:
            PrerequisiteError: The record is damaged.
        """
        file = self.path / _TARGET_FILE
        try:
            return from_mapping(Target, json.loads(file.read_text("utf-8")), where=str(file))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, ConfigError) as error:
            raise PrerequisiteError(
                f"{file} cannot be read ({error}); remove it and start the run again"
            ) from error

    def set_target(self, target: Target) -> None:
        """Records where the entries go."""
        write_json_atomically(self.path / _TARGET_FILE, to_mapping(target))

    def queued_step(self) -> int:
        """Returns the step of the newest entry, also when it has been sent since; 0 before any.

        The record of it is written behind the entry, so an entry that waits counts too.
        """
        try:
            recorded = int(json.loads((self.path / _QUEUED_FILE).read_text("utf-8"))["step"])
        except (OSError, ValueError, TypeError, KeyError):
            recorded = 0  # sent twice, a commit changes nothing
        return max([recorded, *(entry.step for entry in self.entries())])

    def entries(self) -> list[Entry]:
        """Lists what waits, in the order it is to be sent: a tokenizer, then the others by age."""
        if not self.path.is_dir():
            return []
        found = (entry for path in self.path.iterdir() if (entry := _entry(path)))
        return sorted(found, key=lambda entry: (entry.kind != "tokenizer", entry.number))

    def add(self, kind: Kind, step: int, write: Callable[[Path], None]) -> None:
        """Adds an entry behind all others; ``write`` fills the folder it is given.

        Raises:
            OSError: It could not be written; the queue is as it was.
        """
        number = 1 + max((entry.number for entry in self.entries()), default=0)
        with write_directory_atomically(self.path / f"{number:06d}-{kind}-{step:08d}") as aside:
            write(aside)
        write_json_atomically(self.path / _QUEUED_FILE, {"step": step})

    def drop_beyond(self, most: int) -> list[Entry]:
        """Removes the oldest checkpoints beyond ``most``; returns them.

        The first entry of all stays, since it may just be on its way.
        """
        waiting = [entry for entry in self.entries() if entry.kind == "checkpoint"]
        droppable = [entry for entry in self.entries()[1:] if entry.kind == "checkpoint"]
        dropped = droppable[: max(0, len(waiting) - most)]
        for entry in dropped:
            self.remove(entry)
        return dropped

    def remove(self, entry: Entry) -> None:
        """Removes an entry that may be gone already: as a whole, whenever this is killed."""
        gone = self.path / f".{entry.path.name}.gone"
        with suppress(FileNotFoundError):
            entry.path.rename(gone)
        _remove_folder(gone)

    def tidy(self) -> None:
        """Removes what a kill has left half written or half removed; only for who adds."""
        for path in self.path.glob(".*"):
            if path.is_dir():
                _remove_folder(path)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Keeps the queue for this process, which alone sends and removes until the block ends.

        Raises:
            FolderInUseError: Another process is sending.
        """
        with folder_lock(self.path):
            yield


def _remove_folder(path: Path) -> None:
    """Removes a folder that another process may be removing at this moment.

    What cannot be removed is hidden already, and :meth:`Outbox.tidy` tries it again.
    """
    shutil.rmtree(path, ignore_errors=True)


def _entry(path: Path) -> Entry | None:
    parts = path.name.split("-")
    match parts:
        case [number, kind, step] if number.isdigit() and step.isdigit() and path.is_dir():
            for known in get_args(Kind):
                if kind == known:
                    return Entry(int(number), known, int(step), path)
    return None
