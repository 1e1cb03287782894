"""``parrotlet COMMAND``, also ``python -m parrotlet``, and ``parrotlet-server``.

Before anything else is imported, the working folder and PYTHONPATH are taken out of ``sys.path``;
the work is :mod:`parrotlet.dispatch`'s.
"""

import sys

from server.isolation import isolate


def main() -> int:
    """Runs one command with the process' own arguments; returns its exit code."""
    isolate()
    from parrotlet.dispatch import main as dispatch  # noqa: PLC0415 - see above

    return dispatch(sys.argv[1:])


def serve() -> int:
    """Starts the language server with the process' own arguments."""
    isolate()
    from parrotlet.dispatch import serve as start  # noqa: PLC0415 - see above

    return start(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
