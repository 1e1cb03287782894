"""How an adaptation is going: one small file, written by its process and read by everybody else."""

import contextlib
import dataclasses
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import psutil

from training.foundation.atomic_files import write_json_atomically
from training.foundation.config_schema import from_mapping, to_mapping
from training.foundation.errors import ConfigError
from training.foundation.foreign_text import as_object, read_json

STATE_FILE = "state.json"
FORMAT = 1
_START_TOLERANCE_S = 2.0  # clocks of a process and of the system differ
_MAX_BYTES = 1 << 16
_KILL_TIMEOUT_S = 5.0
_BOOT_FILE = Path("/proc/sys/kernel/random/boot_id")


class RunState(StrEnum):
    """Whether an adaptation works; part of the protocol with the editors."""

    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # its process is gone: killed, or the machine was switched off


class Phase(StrEnum):
    """What an adaptation does, in this order."""

    DOCUMENTS = "documents"
    BEFORE = "before"
    TRAINING = "training"
    AFTER = "after"
    INSTALLATION = "installation"

    @property
    def text(self) -> str:
        """The phase in words."""
        return _PHASE_TEXTS[self]


class Outcome(StrEnum):
    """What a finished adaptation brought."""

    BETTER = "better"
    NO_BETTER = "no better"
    UNCHANGED = "unchanged"
    TOO_LITTLE = "too little"


_PHASE_TEXTS = {
    Phase.DOCUMENTS: "Reading the repository",
    Phase.BEFORE: "Measuring the current model",
    Phase.TRAINING: "Training",
    Phase.AFTER: "Measuring the adapted model",
    Phase.INSTALLATION: "Installing",
}


@dataclass(frozen=True, kw_only=True)
class AdaptationState:
    """The state that holds.

    Attributes:
        name: The folder's name among those of all adapted models.
        folder: The workspace.
        state: Whether it works.
        phase: What it does.
        done: The share of all work that is done.
        left_s: How much longer it will take, without pauses; None if that is not known.
        step: Finished steps of the training.
        steps: All steps of the training; 0 until they are planned.
        loss: The newest loss of the training, in nats per token.
        started: When it was asked for, in seconds since 1970.
        updated: When this was written, likewise.
        reason: Why it is paused, or has failed.
        sentence: One sentence for the user.
        outcome: What it brought, once it is finished.
        page: The report, once there is one.
        pid: The process that works; None before it has started.
        pid_started: When that process started, in seconds since 1970.
        pid_mark: The same as :func:`find_process_mark` says it, which the clock cannot change;
            empty where there is none.
    """

    format: int = FORMAT
    name: str
    folder: str
    state: RunState = RunState.RUNNING
    phase: Phase = Phase.DOCUMENTS
    done: float = 0.0
    left_s: float | None = None
    step: int = 0
    steps: int = 0
    loss: float | None = None
    started: float = 0.0
    updated: float = 0.0
    reason: str | None = None
    sentence: str = "Starting."
    outcome: Outcome | None = None
    page: str | None = None
    pid: int | None = None
    pid_started: float | None = None
    pid_mark: str = ""

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Returns the state in an adapted model's folder; None if there is none to read."""
        file = folder / STATE_FILE
        try:
            if file.stat().st_size > _MAX_BYTES:
                return None
            values = {k: v for k, v in as_object(read_json(file)).items() if k in _FIELDS}
            for name, kind in _ENUMS.items():
                values[name] = None if values[name] is None else kind(values[name])
            found = from_mapping(cls, values, where=str(file))
        except (OSError, ValueError, KeyError, TypeError, ConfigError):
            return None
        if found.is_unfinished and not found.has_process:
            return dataclasses.replace(found, state=RunState.INTERRUPTED)
        return found

    def write(self, folder: Path) -> None:
        """Writes it, whole or not at all."""
        now = dataclasses.replace(self, updated=time.time())
        write_json_atomically(folder / STATE_FILE, to_mapping(now))

    def to_json(self) -> dict[str, object]:
        """Returns it as it is written and sent to editors."""
        values: dict[str, Any] = to_mapping(self)
        return {**values, "phase_text": self.phase.text}

    @property
    def is_unfinished(self) -> bool:
        """Whether it works or waits, if its process is there."""
        return self.state in {RunState.RUNNING, RunState.PAUSED}

    @property
    def has_process(self) -> bool:
        """Whether its process is there."""
        if self.pid is None or self.pid_started is None:
            return False
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            if self.pid_mark and (mark := find_process_mark(self.pid)):
                return mark == self.pid_mark
            return bool(abs(process.create_time() - self.pid_started) < _START_TOLERANCE_S)
        except (psutil.Error, ValueError):  # a ValueError is a damaged number
            return False

    def kill_process(self) -> None:
        """Ends its process and all that this has started, without saving anything."""
        try:
            process = psutil.Process(self.pid)
            found = [process, *process.children(recursive=True)]
        except (psutil.Error, ValueError):
            return
        for one in found:
            with contextlib.suppress(psutil.Error):
                one.kill()
        psutil.wait_procs(found, timeout=_KILL_TIMEOUT_S)


_ENUMS = {"state": RunState, "phase": Phase, "outcome": Outcome}
_FIELDS = {field.name for field in dataclasses.fields(AdaptationState)}


def find_process_mark(pid: int) -> str:
    """Returns what no other process of this machine has; empty if it is gone, or not on Linux.

    There, the system derives the start of all processes from its clock as that is set now: after
    the clock was set, they seem to be others.
    """
    try:
        since_boot_s = psutil.Process(pid).create_time() - psutil.boot_time()
        return f"{_BOOT_FILE.read_text(encoding='ascii').strip()} {since_boot_s:.2f}"
    except (psutil.Error, OSError, ValueError):
        return ""


def find_start_time(pid: int) -> float | None:
    """Returns when a process started, in seconds since 1970; None if it is gone."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None
