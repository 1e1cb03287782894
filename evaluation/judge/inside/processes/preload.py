"""Modules that programs commonly import, loaded once before any program is forked.

The interpreter runs without ``site``, which may load anything that is installed. The few names that
``site`` gives to programs are defined here.
"""

import _sitebuiltins
import builtins
import importlib
import sys

MODULES = (
    "bisect",
    "collections",
    "copy",
    "functools",
    "heapq",
    "itertools",
    "math",
    "operator",
    "re",
    "string",
    "typing",
)  # any other costs every program more, in copied memory, than it saves the few that import it
RECURSION_LIMIT = 1000


def preload_modules() -> None:
    """Imports them, and fixes what a program's verdict must not depend on."""
    for name in MODULES:
        importlib.import_module(name)
    sys.setrecursionlimit(RECURSION_LIMIT)
    for name in ("exit", "quit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
    builtins.help = _sitebuiltins._Helper()  # noqa: SLF001 - as site does
