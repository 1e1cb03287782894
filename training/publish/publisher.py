"""Publishing as the training loop sees it: it queues, and a thread of its own sends.

Nothing here may stop or slow the training: what fails is said in one line on standard error, and
what is not sent waits in ``RUN/outbox`` for the next checkpoint, the next start, or
``python -m training.publish run RUN``.
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
from training.publish.outbox import Outbox, Target
from training.publish.publishable_files import link_artifact
from training.publish.sender import send_all

P = ParamSpec("P")
_MAX_NAME_CHARS = 40


def _harmless(
    method: Callable[Concatenate["Publisher", P], None],
) -> Callable[Concatenate["Publisher", P], None]:
    """Lets a method do nothing without a repository, and never raise."""

    @functools.wraps(method)
    def call_safely(self: "Publisher", /, *args: P.args, **kwargs: P.kwargs) -> None:
        if not self.is_on:
            return
        try:
            method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - a night's training is worth more
            _say(f"{error}; training continues")

    return call_safely


class Publisher:
    """Queues what a run has made; used in the main process, does nothing in the others."""

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
        self._asked = self._done = 0  # passes over the queue
        self._is_sending = self._is_away = self._has_dropped = False

    @_harmless
    def start(
        self, tokenizer: CodeTokenizer, shape: GPT2Config, begun: tuple[Path, int] | None = None
    ) -> None:
        """Queues the tokenizer, before any weights, and begins to send.

        A run that goes on keeps its branch and sends first what was left. ``begun`` is the
        checkpoint that it goes on from, and its step: queued only where it never was, for a kill
        came between the two.
        """
        before, repo = self._outbox.target(), self._settings.repo
        assert repo is not None
        self._outbox.tidy()
        branch = self._settings.branch or (before.branch if before else branch_name(self._name))
        target = Target(repo=repo, private=self._settings.private, branch=branch)
        if before is None or (before.repo, before.branch) != (repo, branch):
            self._outbox.add("tokenizer", 0, lambda path: save_tokenizer(path, tokenizer, shape))
        self._outbox.set_target(target)
        _say(f"to {repo}, branch {branch}")
        self._is_sending = True
        threading.Thread(target=self._work, args=(target,), daemon=True, name="publisher").start()
        if begun is not None:
            path, self._queued_step = begun
            if self._outbox.queued_step() < self._queued_step:
                self._add_checkpoint(path, self._queued_step)
        self._wake()

    @_harmless
    def checkpoint(self, path: Path, step: int) -> None:
        """Queues a checkpoint's artifact, once a step: the last one comes as the model again."""
        if step == self._queued_step:
            return
        self._add_checkpoint(path, step)
        self._queued_step = step
        dropped = self._outbox.drop_beyond(self._settings.max_waiting)
        if dropped and not self._has_dropped:
            self._has_dropped = True
            _say(
                f"{dropped[0].title} and perhaps later checkpoints are skipped: more than"
                f" {self._settings.max_waiting} are queued (publish.max_waiting)"
            )
        self._wake()

    @_harmless
    def finish(self, path: Path, step: int) -> None:
        """Queues the finished model and its merge, and waits for the queue to empty."""
        self._outbox.add("model", step, lambda folder: link_artifact(path, folder))
        self._wake()
        if self._is_sending:
            _say(f"sending what is queued, for up to {self._settings.wait_s:.0f} s")
        with self._change:
            self._change.wait_for(
                lambda: not self._is_sending or self._done == self._asked, self._settings.wait_s
            )

    @_harmless
    def close(self) -> None:
        """Ends the sending; says what is left, and how it is sent."""
        with self._change:
            self._is_sending = False
            self._change.notify_all()
        n_waiting = len(self._outbox.entries())
        if n_waiting:
            _say(
                f"{n_waiting} {'commit is' if n_waiting == 1 else 'commits are'} queued in"
                f" {self._outbox.path}; send with: parrotlet publish run {self._run}"
            )

    def _add_checkpoint(self, path: Path, step: int) -> None:
        self._outbox.add("checkpoint", step, lambda folder: link_artifact(path, folder))

    def _wake(self) -> None:
        with self._change:
            self._asked += 1
            self._change.notify_all()

    def _work(self, target: Target) -> None:
        """Goes over the queue whenever something came, until the Hub refuses for good."""
        while self._is_sending:
            with self._change:
                self._change.wait_for(lambda: self._done < self._asked or not self._is_sending)
                asked = self._asked
            if self._is_sending:
                self._send(target)
            with self._change:
                self._done = asked
                self._change.notify_all()

    def _send(self, target: Target) -> None:
        try:
            with self._outbox.sending():
                hub = Hub(target.repo, shows_progress=False)
                send_all(self._outbox, hub, target, pause=self._pause)
                self._is_away = False
        except FolderInUseError:
            return  # whoever sends now sends all that waits
        except HubUnavailableError as error:
            if not self._is_away:
                self._is_away = True
                _say(f"{error}; trying again at the next checkpoint")
        except HubError as error:
            self._is_sending = False
            _say(f"{error}; training continues, the rest stays queued")
        except Exception as error:  # noqa: BLE001 - a thread that dies would say so in ten lines
            self._is_sending = False
            _say(f"{type(error).__name__}: {error}; training continues, the rest stays queued")


def branch_name(run: str) -> str:
    """Returns a branch for a new run: no two runs get the same."""
    words = re.findall(r"[A-Za-z0-9_]+", run[:_MAX_NAME_CHARS])
    return "-".join([*words, f"{datetime.now(UTC):%Y%m%d}", secrets.token_hex(3)])


def _say(sentence: str) -> None:
    tqdm.write(f"publishing: {sentence}", file=sys.stderr)
