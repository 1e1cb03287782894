"""Ends a process whose parent is gone, so that no stage of a pipeline works on unsupervised."""

import os
import signal
import threading
import time

PARENT_VARIABLE = "PARROTLET_PARENT"  # the process that must be our parent
_TORCHRUN_VARIABLE = "TORCHELASTIC_RUN_ID"
_CHECK_S = 0.5


def follow_parent() -> None:
    """Has this process interrupted, as by SIGTERM, when the parent that watches it is gone.

    Does nothing without such a parent, in processes that torchrun watches, and on Windows, where a
    launcher cannot be replaced by the program it launches.
    """
    expected = os.environ.get(PARENT_VARIABLE)
    if expected is None or _TORCHRUN_VARIABLE in os.environ or os.name != "posix":
        return
    if str(os.getppid()) != expected:  # it was gone before we could look
        os.kill(os.getpid(), signal.SIGTERM)
        return

    def watch() -> None:
        while str(os.getppid()) == expected:
            time.sleep(_CHECK_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()
