"""The worker: ``python -m server.worker``, started by :mod:`server.worker.process` alone.

It reads messages from stdin and answers on stdout; logs go to stderr.
"""

import logging
import os
import signal
import sys

from server.worker.messages import PRELOAD_ARGUMENT
from server.worker.request_loop import RequestLoop


def main() -> int:
    """Works for the server that started it, which alone decides when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(
        stream=sys.stderr,
        level=os.environ.get("PARROTLET_LOG_LEVEL", "WARNING"),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed goes to the log
    RequestLoop(sys.stdin.buffer, output).run(preloads=PRELOAD_ARGUMENT in sys.argv)
    return 0


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    os._exit(code)  # there is nothing to save, and taking large libraries down takes a second
