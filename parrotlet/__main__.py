"""``parrotlet COMMAND``, also ``python -m parrotlet``, and ``parrotlet-server``.

Before anything else is imported, the working folder and PYTHONPATH are removed from ``sys.path``;
:mod:`parrotlet.dispatch` does the rest.
"""

import sys

from server.isolation import isolate


def main() -> int:
    """Runs the command that ``sys.argv`` names; returns its exit code."""
    isolate()
    from parrotlet.dispatch import main as dispatch  # noqa: PLC0415 - see above

    return dispatch(sys.argv[1:])


def serve() -> int:
    """Starts the language server with the arguments in ``sys.argv``."""
    isolate()
    from parrotlet.dispatch import serve as start  # noqa: PLC0415 - see above

    return start(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
