"""Keeps a worker running: starts it, has it load the model, starts it again when it dies.

Called by :mod:`server.worker.service`. It reports the state of the worker, and passes on every
message that answers a request.
"""

import dataclasses
import logging
import threading
import time
from collections.abc import Callable

from server.backends.model_store import make_absolute, resolve_model_name
from server.settings import Settings
from server.worker.messages import (
    ChangeSettings,
    Downloading,
    Load,
    LoadFailed,
    Message,
    Ready,
    ToWorker,
    UpdateDocument,
    UpdateWorkspace,
    UseIndex,
)
from server.worker.process.host import WorkerProcess
from server.worker.process.watchdog import FROZEN, LOOPING
from server.worker.status import State, Status
from server.workspace.snapshot import WorkspaceSnapshot

_MAX_RESTARTS = 3  # within this time, or until one is ready; after that the worker stays away
_RESTART_PERIOD_S = 60.0
_MAX_RELOADS = 1  # of a workspace's model, which has an alternative

_log = logging.getLogger(__name__)


class Supervisor:
    """Owns the worker's process.

    Args:
        status: Where the worker's state is reported.
        on_answer: Called with each message that answers a request, in the reader's thread.
        on_loss: Called when all requests under way are lost; with a sentence if the worker died.
        on_ready: Called with the tokenizer's file when a model is loaded, "" if it needs no index
            of the workspace.
    """

    def __init__(
        self,
        status: Status,
        *,
        on_answer: Callable[[Message], None],
        on_loss: Callable[[str | None], None],
        on_ready: Callable[[str], None],
    ) -> None:
        self._status = status
        self._on_answer = on_answer
        self._on_loss = on_loss
        self._on_ready = on_ready
        self._lock = threading.RLock()
        self._settings = Settings()
        self._workspace_model = ""  # adapted to the workspace; serves instead of the settings'
        self._damaged_model = ""  # the one of those that could not be loaded
        self._workspace = WorkspaceSnapshot()
        self._index_folder = ""
        self._documents: dict[str, str] = {}  # other open ones, by URI
        self._process: WorkerProcess | None = None
        self._died_at: list[float] = []
        self._n_died_loading = 0  # since a worker was ready
        self._is_ready = False
        self._is_started = False
        self._is_closing = False
        self._can_complete = True  # the model is loaded, or may still be

    @property
    def pid(self) -> int | None:
        """The worker's process id, if it runs."""
        process = self._process
        return None if process is None else process.pid

    @property
    def can_complete(self) -> bool:
        """Whether there is a worker that has a model, or is loading one."""
        return self._can_complete and self._process is not None

    @property
    def uses_workspace_model(self) -> bool:
        """Whether the workspace's model is loaded, or is to be, rather than the settings'."""
        model = self._workspace_model
        return bool(model) and model != self._damaged_model and not self._settings.remote.url

    def prepare(self) -> None:
        """Starts the process before it is known which model it is to load."""
        self._process = WorkerProcess(self._on_message, self._on_exit, preloads=True)

    def start(self, settings: Settings) -> None:
        """Has the model loaded; requests that are sent from now on wait for it."""
        self._is_started = True
        self._settings = settings
        if settings.remote.url:  # the libraries that were preloaded would only take memory
            self._stop()
        self._run(None)

    def restart(self) -> None:
        """Ends the worker and starts another."""
        self._damaged_model = ""  # it may have been repaired
        self._replace()

    def change_settings(self, settings: Settings) -> None:
        """Passes settings on; restarts the worker if they are about the model."""
        before, self._settings = self._settings, settings
        if _model_settings(settings) != _model_settings(before) or not self._send(
            ChangeSettings(settings=_with_absolute_paths(settings))
        ):
            self.restart()

    def use_workspace_model(self, folder: str) -> bool:
        """Loads another model for the workspace, "" for that of the settings.

        Returns:
            Whether it is another one; the worker is restarted then, if it has started at all.
        """
        if folder == self._workspace_model:
            return False
        self._workspace_model = folder
        if self._is_started:
            self.restart()
        return True

    def update_workspace(self, snapshot: WorkspaceSnapshot) -> bool:
        """Passes on what other files contribute to requests from now on; returns if that is new."""
        if snapshot == self._workspace:
            return False
        self._workspace = snapshot
        self._send(UpdateWorkspace(snapshot=snapshot))
        return True

    def use_index(self, folder: str) -> bool:
        """Passes on where the workspace's files are indexed; returns if that is elsewhere.

        Args:
            folder: The index; "" if none may be used.
        """
        if folder == self._index_folder:
            return False
        self._index_folder = folder
        self._send(UseIndex(folder=folder))
        return True

    def update_document(self, uri: str, text: str | None) -> None:
        """Passes on the text of an open document; None once it is closed."""
        with self._lock:  # not while another worker is given all of them
            self._documents.pop(uri, None)
            if text is not None:
                self._documents[uri] = text
            self._send(UpdateDocument(uri=uri, text=text))

    def send(self, message: ToWorker) -> bool:
        """Sends a message; returns false if nobody is there who could answer it."""
        return self._can_complete and self._send(message)

    def close(self) -> None:
        """Ends the worker for good."""
        self._is_closing = True
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def _send(self, message: ToWorker) -> bool:
        with self._lock:  # not before the message that loads the model
            process = self._process
        if process is None:
            return False
        process.send(message)
        return True

    def _replace(self) -> None:
        self._died_at.clear()
        self._n_died_loading = 0
        self._stop()
        self._on_loss(None)
        self._run(None)

    def _run(self, reason: str | None) -> None:
        with self._lock:  # a request that follows the new state must find the worker
            self._status.set(State.STARTING, reason)
            self._can_complete = True
            self._is_ready = False
            process = self._process or self._start_process()
            if process is None:
                return
            process.send(Load(settings=self._settings_to_load()))
            if self._workspace != WorkspaceSnapshot():
                process.send(UpdateWorkspace(snapshot=self._workspace))
            if self._index_folder:
                process.send(UseIndex(folder=self._index_folder))
            for uri, text in self._documents.items():
                process.send(UpdateDocument(uri=uri, text=text))
            self._process = process

    def _settings_to_load(self) -> Settings:
        settings = _with_absolute_paths(self._settings)
        if self.uses_workspace_model:
            settings = dataclasses.replace(settings, model=self._workspace_model)
        return settings

    def _start_process(self) -> WorkerProcess | None:
        try:
            return WorkerProcess(self._on_message, self._on_exit)
        except OSError as error:
            self._can_complete = False
            reason = f"cannot start the model's process ({error.strerror}); restart it"
            self._status.set(State.ERROR, reason)
            return None

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.mute()  # at once: what it says of its model is not said of the next one's
            threading.Thread(target=process.close, name="worker shutdown").start()

    def _on_message(self, message: Message) -> None:
        match message:
            case Ready():
                _log.info("ready after %.1f s", message.load_s)
                self._is_ready = True
                self._status.set(State.READY)
                self._on_ready(message.tokenizer)
            case Downloading():
                percent = 100 * message.done_bytes // message.total_bytes
                reason = f"downloading {self._settings.model}: {percent}%"
                self._status.set(State.STARTING, reason)
            case LoadFailed():
                _log.error("%s", message.reason)
                self._give_up_loading(message.reason)
            case _:
                self._on_answer(message)

    def _give_up_loading(self, reason: str) -> None:
        """Loads the settings' model if it was the workspace's that could not be loaded."""
        if self.uses_workspace_model:
            self._damaged_model = self._workspace_model
            self._status.warn(
                f"the model adapted to this workspace cannot be loaded ({reason}); the base model"
                " suggests instead until it is adapted again, or removed"
            )
            self._replace()
            return
        self._can_complete = False
        self._status.set(State.ERROR, reason)
        self._on_loss(None)

    def _on_exit(self, how: str) -> None:
        """Starts another worker, unless too many have died."""
        if self._is_closing:
            return
        what = f"the model's process {how}"
        if how in {FROZEN, LOOPING}:  # nobody has ended it on purpose
            self._status.warn(f"{what}; it is replaced")
        _log.error("%s", what)
        with self._lock:  # not while it is being started
            self._process = None
        if not self._is_started:
            return
        self._on_loss(what)
        n_times = self._count_deaths()
        if self.uses_workspace_model and self._n_died_loading > _MAX_RELOADS:
            self._give_up_loading(what)
        elif n_times > _MAX_RESTARTS:
            reason = f"{what} {n_times} times; see the log, then restart it"
            self._status.set(State.ERROR, reason)
        else:
            self._run(f"{what}; restarting")

    def _count_deaths(self) -> int:
        """Counts another one; returns how many there were shortly, or since one was ready."""
        now = time.monotonic()
        self._died_at = [at for at in self._died_at if now - at < _RESTART_PERIOD_S] + [now]
        self._n_died_loading = 0 if self._is_ready else self._n_died_loading + 1
        return max(len(self._died_at), self._n_died_loading)


def _model_settings(settings: Settings) -> tuple[object, ...]:
    """Returns the settings that a running worker cannot change."""
    return settings.model, settings.engine, settings.remote


def _with_absolute_paths(settings: Settings) -> Settings:
    """Returns settings that mean the same in the worker's working folder."""
    tokenizer = settings.remote.tokenizer
    remote = dataclasses.replace(settings.remote, tokenizer=tokenizer and make_absolute(tokenizer))
    return dataclasses.replace(settings, model=resolve_model_name(settings.model), remote=remote)
