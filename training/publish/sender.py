"""From entries of the outbox to commits on the Hub, in order, with patience.

An entry is removed once its commit stands; sent twice, after a kill in between, it changes nothing.
Called by the training's ``publisher`` and by ``python -m training.publish run``.
"""

import random
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from training.artifact.directory import ARTIFACT_FILES, WEIGHTS_FILE
from training.foundation.errors import HubError, HubUnavailableError
from training.publish.hub import MAIN, Hub
from training.publish.outbox import Entry, Outbox, Target

T = TypeVar("T")
TRIES = 6
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 30.0


def send_all(
    outbox: Outbox,
    hub: Hub,
    target: Target,
    *,
    pause: Callable[[float], None] = time.sleep,
    sent: Callable[[Entry], None] = lambda _entry: None,
) -> None:
    """Sends what waits, oldest first, until nothing does; what comes meanwhile too.

    Args:
        outbox: The queue; the caller holds its ``sending``.
        hub: The repository that ``target`` names.
        target: Branch and visibility.
        pause: Waits some seconds.
        sent: Told of each entry.

    Raises:
        HubError: The Hub refuses an entry; it and those behind it stay.
        HubUnavailableError: The Hub was away longer than all tries.
    """
    while entries := outbox.entries():
        entry = entries[0]
        try:
            persistently(partial(send, hub, target, entry), pause=pause)
        except (HubError, OSError):
            if entry.path.is_dir():
                raise
            continue  # dropped on the way, for too many waited
        outbox.remove(entry)
        sent(entry)


def send(hub: Hub, target: Target, entry: Entry) -> None:
    """Makes the commit of one entry, and what belongs to it."""
    files = {path.name: path for path in entry.path.iterdir()}
    if entry.kind == "tokenizer":
        hub.make(private=target.private)
        if WEIGHTS_FILE not in hub.tree():  # another run's model keeps its tokenizer on main
            hub.commit(files, message=entry.title, revision=MAIN)
        hub.make_branch(target.branch)
    hub.commit(
        files,
        message=entry.title,
        revision=target.branch,
        replaces=ARTIFACT_FILES.__contains__,
    )
    if entry.kind == "model":
        hub.merge(target.branch)


def persistently(call: Callable[[], T], *, pause: Callable[[float], None] = time.sleep) -> T:
    """Calls until it succeeds, a few times, with waits that grow and are never quite the same.

    Raises:
        HubError: It fails for good.
        HubUnavailableError: The last try failed too.
    """
    for number in range(TRIES - 1):
        try:
            return call()
        except HubUnavailableError:
            longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**number)
            pause(longest * random.uniform(0.5, 1.0))
    return call()
