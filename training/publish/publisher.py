"""Publishes during training: the loop queues commits, and a thread sends them.

Nothing here may stop or slow down the training: failures are reported in one line on standard
error, and unsent commits stay in ``RUN/outbox`` for the next checkpoint, the next start, or
``python -m training.publish run RUN``. Called by :mod:`training.pretrain`.
"""

import functools
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Concatenate, ParamSpec

from tqdm import tqdm

from training.artifact.directory import save_tokenizer
from training.artifact.network.config import GPT2Config
from training.artifact.tokenizer import CodeTokenizer
from training.config import RunConfig
from training.foundation.errors import HubError, HubUnavailableError
from training.foundation.folder_lock import FolderInUseError
from training.publish.hub import Hub
from training.publish.outbox import Outbox, PublishTarget
from training.publish.publishable_files import link_artifact
from training.publish.sender import send_all

P = ParamSpec("P")
_MAX_NAME_CHARS = 40


def _never_raise(
    method: Callable[Concatenate["Publisher", P], None],
) -> Callable[Concatenate["Publisher", P], None]:
    """Makes a method do nothing without a repository, and never raise."""

    @functools.wraps(method)
    def call_safely(self: "Publisher", /, *args: P.args, **kwargs: P.kwargs) -> None:
        if not self.is_on:
            return
        try:
            method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - publishing must not end the training
            _report(f"{error}; training continues")

    return call_safely


class Publisher:
    """Queues a run's artifacts in the main process; does nothing in the others."""

    def __init__(
        self,
        config: RunConfig,
        *,
        is_main_process: bool,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name, self._settings = config.name, config.publish
        self._run = config.paths.run
        self.is_on = is_main_process and config.publish.repo is not None
        self._outbox = Outbox(config.paths.run)
        self._pause = pause
        self._queued_step = 0
        self._change = threading.Condition()
        self._n_requested = self._n_completed = 0  # passes over the queue
        self._is_sending = self._is_unavailable = self._has_dropped = False

    @_never_raise
    def start(
        self,
        tokenizer: CodeTokenizer,
        shape: GPT2Config,
        resumed_from: tuple[Path, int] | None = None,
    ) -> None:
        """Queues the tokenizer before any weights, and starts the sending thread.

        A resumed run keeps its branch, and first sends what is still queued.

        Args:
            tokenizer: The tokenizer.
            shape: The model's config.
            resumed_from: The checkpoint that the run resumes from and its step; queued if a kill
                prevented that. None for a new run.
        """
        before, repo = self._outbox.target(), self._settings.repo
        assert repo is not None
        self._outbox.clean_up()
        branch = self._settings.branch or (
            before.branch if before else make_branch_name(self._name)
        )
        target = PublishTarget(repo=repo, private=self._settings.private, branch=branch)
        if before is None or (before.repo, before.branch) != (repo, branch):
            self._outbox.add("tokenizer", 0, lambda path: save_tokenizer(path, tokenizer, shape))
        self._outbox.set_target(target)
        _report(f"to {repo}, branch {branch}")
        self._is_sending = True
        threading.Thread(target=self._work, args=(target,), daemon=True, name="publisher").start()
        if resumed_from is not None:
            path, self._queued_step = resumed_from
            if self._outbox.queued_step() < self._queued_step:
                self._add_checkpoint(path, self._queued_step)
        self._wake()

    @_never_raise
    def checkpoint(self, path: Path, step: int) -> None:
        """Queues a checkpoint's artifact, once per step."""
        if step == self._queued_step:
            return
        self._add_checkpoint(path, step)
        self._queued_step = step
        dropped = self._outbox.drop_excess(self._settings.max_waiting)
        if dropped and not self._has_dropped:
            self._has_dropped = True
            _report(
                f"{dropped[0].title} and perhaps later checkpoints are skipped: more than"
                f" {self._settings.max_waiting} are queued (publish.max_waiting)"
            )
        self._wake()

    @_never_raise
    def finish(self, path: Path, step: int) -> None:
        """Queues the finished model and its merge, and waits until the queue is empty."""
        self._outbox.add("model", step, lambda folder: link_artifact(path, folder))
        self._wake()
        if self._is_sending:
            _report(f"sending what is queued, for up to {self._settings.wait_s:.0f} s")
        with self._change:
            self._change.wait_for(
                lambda: not self._is_sending or self._n_completed == self._n_requested,
                self._settings.wait_s,
            )

    @_never_raise
    def close(self) -> None:
        """Stops sending, and reports what is left and how to send it."""
        with self._change:
            self._is_sending = False
            self._change.notify_all()
        n_waiting = len(self._outbox.commits())
        if n_waiting:
            _report(
                f"{n_waiting} {'commit is' if n_waiting == 1 else 'commits are'} queued in"
                f" {self._outbox.path}; send with: parrotlet publish run {self._run}"
            )

    def _add_checkpoint(self, path: Path, step: int) -> None:
        with_state = self._settings.training_state
        self._outbox.add(
            "checkpoint", step, lambda folder: link_artifact(path, folder, with_state=with_state)
        )

    def _wake(self) -> None:
        with self._change:
            self._n_requested += 1
            self._change.notify_all()

    def _work(self, target: PublishTarget) -> None:
        """Sends the queue whenever it has grown, until the Hub refuses permanently."""
        while self._is_sending:
            with self._change:
                self._change.wait_for(
                    lambda: self._n_completed < self._n_requested or not self._is_sending
                )
                requested = self._n_requested
            if self._is_sending:
                self._send(target)
            with self._change:
                self._n_completed = requested
                self._change.notify_all()

    def _send(self, target: PublishTarget) -> None:
        try:
            with self._outbox.lock():
                hub = Hub(target.repo, shows_progress=False)
                send_all(self._outbox, hub, target, pause=self._pause)
                self._is_unavailable = False
        except FolderInUseError:
            return  # the process that holds the lock sends everything
        except HubUnavailableError as error:
            if not self._is_unavailable:
                self._is_unavailable = True
                _report(f"{error}; trying again at the next checkpoint")
        except HubError as error:
            self._is_sending = False
            _report(f"{error}; training continues, the rest stays queued")
        except Exception as error:  # noqa: BLE001 - a thread that dies prints a traceback
            self._is_sending = False
            _report(f"{type(error).__name__}: {error}; training continues, the rest stays queued")


def make_branch_name(run: str) -> str:
    """Returns a unique name for a new run's branch."""
    words = re.findall(r"[A-Za-z0-9_]+", run[:_MAX_NAME_CHARS])
    return "-".join([*words, f"{datetime.now(UTC):%Y%m%d}", secrets.token_hex(3)])


def _report(sentence: str) -> None:
    tqdm.write(f"publishing: {sentence}", file=sys.stderr)
