"""Notices that the client's process is gone, although its end of the pipe is still open.

That happens when an editor is killed whose children hold the pipe. The protocol demands that the
server ends then, too.
"""

import asyncio
import os

import psutil

_CHECK_INTERVAL_S = 2.0


async def wait_until_gone(pid: int) -> None:
    """Returns once a process is gone.

    Args:
        pid: As the client sent it. In a container it may be a number from outside, where nothing
            can be said about it: then this never returns.
    """
    process = _find(pid)
    if process is None and _may_be_elsewhere():
        await asyncio.Event().wait()
    while process is not None and _is_running(process):  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(_CHECK_INTERVAL_S)


def _find(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except (psutil.Error, ValueError, OverflowError):
        return None


def _may_be_elsewhere() -> bool:
    """Returns whether nobody started this process, as far as can be seen from here."""
    return os.getppid() <= 1


def _is_running(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except (psutil.Error, OSError):  # it cannot be looked at, and so is there
        return True
