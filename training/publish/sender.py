"""Sends the queued commits to the Hub in order, and retries.

A commit is removed from the queue once the Hub has it; one sent twice, after a kill in between,
changes nothing. Called by :mod:`training.publish.publisher` and ``python -m training.publish run``.
"""

import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from training.artifact.directory import PUBLIC_FILES, WEIGHTS_FILE
from training.foundation.errors import HubError, HubUnavailableError
from training.publish.hub import MAIN, Hub
from training.publish.outbox import Outbox, PublishTarget, QueuedCommit
from training.publish.publishable_files import is_publishable, list_queued_files
from training.run.checkpoint import is_state_file

T = TypeVar("T")
MAX_ATTEMPTS = 6
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 30.0


def send_all(
    outbox: Outbox,
    hub: Hub,
    target: PublishTarget,
    *,
    pause: Callable[[float], None] = time.sleep,
    on_sent: Callable[[QueuedCommit], None] = lambda _commit: None,
) -> None:
    """Sends the queued commits, oldest first, until the queue is empty.

    Args:
        outbox: The queue; the caller holds its lock.
        hub: The repository that ``target`` names.
        target: The branch and the visibility.
        pause: Waits some seconds.
        on_sent: Called with each commit that was sent.

    Raises:
        HubError: The Hub refused a commit; it and the later ones stay queued.
        HubUnavailableError: The Hub was unavailable for all attempts.
    """
    while commits := outbox.commits():
        commit = commits[0]
        try:
            retry(partial(send, hub, target, commit, outbox.run), pause=pause)
        except (HubError, OSError):
            if commit.path.is_dir():
                raise
            continue  # dropped meanwhile, because too many were queued
        outbox.remove(commit)
        on_sent(commit)


def send(hub: Hub, target: PublishTarget, commit: QueuedCommit, run: Path) -> None:
    """Sends one commit of a run's queue, with the branch or the merge that belongs to it.

    Training state is published on the branch alone, not on main.

    Raises:
        PrerequisiteError: A file is a link to outside the run.
    """
    files = list_queued_files(run, commit.path)
    if commit.kind == "tokenizer":
        hub.create(private=target.private)
        if WEIGHTS_FILE not in hub.list_files():  # main may hold another run's model
            hub.commit(files, message=commit.title, revision=MAIN)
        hub.create_branch(target.branch)
    hub.commit(
        files,
        message=commit.title,
        revision=target.branch,
        # The state of the last checkpoint stays, from which the finished run can be resumed.
        replaces=is_publishable if commit.kind != "model" else PUBLIC_FILES.__contains__,
    )
    if commit.kind == "model":
        hub.merge(target.branch, excludes=is_state_file)


def retry(call: Callable[[], T], *, pause: Callable[[float], None] = time.sleep) -> T:
    """Returns the result of a call, repeated a few times with growing, randomised waits.

    Raises:
        HubError: The call fails permanently.
        HubUnavailableError: The last attempt failed as well.
    """
    for number in range(MAX_ATTEMPTS - 1):
        try:
            return call()
        except HubUnavailableError:
            longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**number)
            pause(longest * random.uniform(0.5, 1.0))
    return call()
