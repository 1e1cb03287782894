"""Starts adaptations, and tells them to pause, to go on and to end.

An adaptation is a process of its own that outlives the one that starts it. What it reports and what
it is told are files in the adapted model's folder.
"""

import contextlib
import dataclasses
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from server.adaptation.adaptation_request import REQUEST_FILE, AdaptationRequest
from server.adaptation.adaptation_state import (
    AdaptationState,
    RunState,
    find_process_mark,
    find_start_time,
)
from server.adaptation.adapted_models import (
    WORK_FOLDER,
    AdaptedModel,
    create_model,
    find_model,
    find_models_folder,
)
from server.backends.model_store import resolve_model_name
from server.isolation import ROOT, child_command, child_environment
from training.foundation.atomic_files import write_text_atomically
from training.foundation.errors import ConfigError, PrerequisiteError
from training.foundation.extras import DISTRIBUTION, check_extra
from training.foundation.folder_lock import FolderInUseError, folder_lock
from training.foundation.foreign_text import read_bounded

ADAPT_COMMAND = "adapt"
REQUEST_OPTION = "--request"
CONTROL_FILE, LOG_FILE, TYPING_FILE = "control", "log.txt", "typing"
PAUSED_BY_USER = "paused by you"
EXTRAS = ("train", "evaluate")
# What a plan is made from, besides the folder; the rest of a request only says how it works.
PLANNED_OPTIONS = ("minutes", "model", "private_globs", "heldout_share", "is_wanted_again")
_MANNERS = ("pauses_on_battery", "pauses_while_typing", "yields")
_MAX_CONTROL_BYTES = 64
_ENDING_S, _LOOK_S = 10.0, 0.2  # how long to wait for a cancelled one, and how often to look
_TYPING_STEP_S = 1.0  # the file's time is no more exact than this
_noted = 0.0


class Control(StrEnum):
    """What an adaptation is told."""

    RUN = "run"
    PAUSE = "pause"
    CANCEL = "cancel"


@dataclass(frozen=True)
class Adaptation:
    """The adaptation of a workspace, running or not."""

    model: AdaptedModel

    @property
    def folder(self) -> Path:
        """The adapted model's folder."""
        return self.model.folder

    def read_state(self) -> AdaptationState | None:
        """Returns how it is going; None if it was never started."""
        return AdaptationState.read(self.folder)

    def read_request(self) -> AdaptationRequest | None:
        """Returns what was asked of it last; None if that cannot be read."""
        try:
            return AdaptationRequest.read(self.folder / REQUEST_FILE)
        except ConfigError:
            return None

    def follows(self, request: AdaptationRequest) -> bool:
        """Says whether it is what would be planned for a request."""
        own = self.read_request()
        return own is not None and is_same_plan(own, request)

    @property
    def is_ending(self) -> bool:
        """Whether its process is there, but was told to end."""
        state = self.read_state()
        is_there = state is not None and state.is_unfinished
        return is_there and read_control(self.folder) is Control.CANCEL

    def hasten(self, request: AdaptationRequest) -> None:
        """Has it wait for nothing that a request does not wait for, from now on.

        Its process looks at what it may not wait for all the time, and at its priority when it
        starts.
        """
        own = self.read_request()
        if own is None:
            return
        kept = {name: getattr(own, name) and getattr(request, name) for name in _MANNERS}
        changed = dataclasses.replace(own, **kept)
        if changed != own:
            changed.write(self.folder / REQUEST_FILE)

    def pause(self) -> None:
        """Tells it to wait until it is told to go on."""
        self._tell(Control.PAUSE)

    def resume(self) -> None:
        """Tells it to go on, and starts its process again if that is gone.

        Raises:
            ParrotletError: It cannot be started.
        """
        self._tell(Control.RUN)
        state = self.read_state()
        if state is not None and state.state in {RunState.INTERRUPTED, RunState.FAILED}:
            self.launch()

    def cancel(self) -> None:
        """Tells it to end, and removes what it has so far; finished models are kept."""
        self._tell(Control.CANCEL)
        state = self.read_state()
        if state is not None and state.state in {RunState.INTERRUPTED, RunState.FAILED}:
            discard_work(self.folder, state)

    def go_on(self) -> bool:
        """Starts it again if it was interrupted; returns whether it did.

        What the user paused or cancelled is left alone. Of several editors that ask at once, one
        starts it.
        """
        with contextlib.suppress(FolderInUseError), folder_lock(self.folder, beside=True):
            state = self.read_state()
            is_wanted = read_control(self.folder) is Control.RUN
            if state is not None and state.state is RunState.INTERRUPTED and is_wanted:
                self.launch()
                return True
        return False

    def launch(self) -> None:
        """Starts the process.

        Raises:
            PrerequisiteError: Packages that it needs are missing, or it cannot be started.
        """
        for extra in EXTRAS:
            check_extra(extra)
        command = [*child_command(DISTRIBUTION), ADAPT_COMMAND]
        command += [REQUEST_OPTION, str(self.folder / REQUEST_FILE)]
        with _open_log(self.folder / LOG_FILE) as log:
            try:
                process = subprocess.Popen(  # noqa: S603 - our own program
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=child_environment(),
                    cwd=ROOT,
                    start_new_session=True,  # outlives us, and a scheduler slows it down alone
                )
            except OSError as error:
                raise PrerequisiteError(
                    f"cannot start the adaptation ({error.strerror}); try again"
                ) from error
        threading.Thread(target=process.wait, name="adaptation", daemon=True).start()
        request = AdaptationRequest.read(self.folder / REQUEST_FILE)
        now = time.time()
        AdaptationState(
            name=self.model.name,
            folder=str(request.folder),
            started=now,
            pid=process.pid,
            pid_started=find_start_time(process.pid) or now,
            pid_mark=find_process_mark(process.pid),
        ).write(self.folder)

    def _tell(self, control: Control) -> None:
        write_text_atomically(self.folder / CONTROL_FILE, control)


def start_adaptation(request: AdaptationRequest) -> Adaptation:
    """Starts an adaptation, or goes on with one that has not ended.

    One that runs goes on with its own options, but waits for nothing that this request does not
    wait for. Of one that does not, only what was planned with the same options is used. One that
    was cancelled ends first.

    Raises:
        ParrotletError: The folder cannot be adapted to, or the process cannot be started.
    """
    if not request.folder.is_dir():
        raise ConfigError(f"there is no folder {request.folder}; name one with Python files")
    home = find_models_folder()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    end = time.monotonic() + _ENDING_S
    while True:
        with folder_lock(home):
            adaptation = Adaptation(create_model(request.folder, request.model))
            if not adaptation.is_ending:
                _start(adaptation, request)
                return adaptation
        if time.monotonic() >= end:
            raise PrerequisiteError(
                "the adaptation that was cancelled has not ended yet; try again in a minute"
            )
        time.sleep(_LOOK_S)


def _start(adaptation: Adaptation, request: AdaptationRequest) -> None:
    state = adaptation.read_state()
    if state is not None and state.is_unfinished:
        adaptation.hasten(request)
        adaptation.resume()
        return
    request.write(adaptation.folder / REQUEST_FILE)
    write_text_atomically(adaptation.folder / CONTROL_FILE, Control.RUN)
    adaptation.launch()


def is_same_plan(one: AdaptationRequest, other: AdaptationRequest) -> bool:
    """Says whether two requests learn the same files, for as long, from the same model."""
    return _describe_plan(one) == _describe_plan(other)


def _describe_plan(request: AdaptationRequest) -> dict[str, object]:
    options = {name: getattr(request, name) for name in PLANNED_OPTIONS}
    model = resolve_model_name(request.model)
    return {**options, "model": model, "folder": request.folder.resolve()}


def find_adaptation(folder: Path) -> Adaptation | None:
    """Returns the adaptation of a workspace, running or not; None if there never was one."""
    model = find_model(folder)
    return None if model is None else Adaptation(model)


def note_typing() -> None:
    """Takes note that the user types in an editor; adaptations then wait."""
    global _noted  # noqa: PLW0603 - of this process
    now = time.monotonic()
    if now - _noted < _TYPING_STEP_S:
        return
    _noted = now
    with contextlib.suppress(OSError, PrerequisiteError):
        os.utime(find_models_folder() / TYPING_FILE)  # which there is while an adaptation runs


def read_control(folder: Path) -> Control:
    """Returns what an adaptation was told last."""
    try:
        return Control(read_bounded(folder / CONTROL_FILE, _MAX_CONTROL_BYTES).decode("ascii"))
    except (OSError, ValueError):
        return Control.RUN


def discard_work(folder: Path, state: AdaptationState) -> None:
    """Removes what an adaptation has so far, and writes that it was cancelled."""
    shutil.rmtree(folder / WORK_FOLDER, ignore_errors=True)
    AdaptationState(
        name=state.name,
        folder=state.folder,
        started=state.started,
        state=RunState.CANCELLED,
        sentence="The adaptation was cancelled.",
    ).write(folder)


@contextlib.contextmanager
def _open_log(path: Path) -> Iterator[int]:
    """Opens the file for what the process prints; the last one's is replaced."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)
