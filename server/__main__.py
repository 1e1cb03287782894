"""``parrotlet-server``, also ``python -m server``: serves one editor on stdin and stdout.

Arguments and streams only; the server itself is in ``lsp``. Logs go to stderr.
"""

import sys

from server.isolation import isolate

if __name__ == "__main__":
    isolate()  # before anything else is imported

import argparse
import logging
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from server import VERSION
from training.foundation.errors import run_main

_LEVELS = ("error", "warning", "info", "debug")


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until the client leaves; returns the exit code."""
    return run_main(_serve, argv)


def _serve(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # end at once: there is nothing to save
    _set_up_logs(arguments.log_level)
    from server.worker.service import CompletionService  # noqa: PLC0415 - not for --help

    with _reserve_stdout() as protocol_out:
        service = CompletionService()
        service.prepare()  # its imports take as long as ours
        try:
            from server.lsp.features import create_server  # noqa: PLC0415

            overrides = {"model": arguments.model, "event_log": arguments.event_log}
            server = create_server(overrides, service)
            server.serve(sys.stdin.fileno(), protocol_out)
        finally:
            service.close()
    return server.protocol.exit_code


@contextmanager
def _reserve_stdout() -> Iterator[BinaryIO]:
    """Yields stdout for the protocol; whatever else is printed goes to stderr."""
    sys.stdout.flush()
    reserved = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(reserved, "wb") as stream:
        yield stream


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=sys.argv[0] if sys.argv[0].startswith("parrotlet ") else "parrotlet-server",
        description="Complete Python in an editor, over the Language Server Protocol (LSP)."
        " Editors start this program themselves; it reads from stdin and writes to stdout.",
        epilog="example: parrotlet-server --model runs/default/run/model",
    )
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument(
        "--stdio",
        action="store_true",
        help="use stdin and stdout (the default; accepted because some editors pass it)",
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="folder of a model, or its name on the Hugging Face Hub (default: bundled)",
    )
    parser.add_argument(
        "--event-log",
        metavar="FILE",
        help="append one JSON object per request to this file, without any of your code",
    )
    parser.add_argument(
        "--log-level",
        choices=_LEVELS,
        default="warning",
        help="least severe messages to log to stderr (default: %(default)s; debug logs your code)",
    )
    return parser


def _set_up_logs(level: str) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    os.environ["PARROTLET_LOG_LEVEL"] = level.upper()  # the worker's too
    if level != "debug":  # pygls logs whole messages, with the user's text, at INFO and ERROR
        for name in ("pygls", "lsprotocol"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


if __name__ == "__main__":
    sys.exit(main())
