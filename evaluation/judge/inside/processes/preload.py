"""Modules that programs commonly import, loaded once before any of them is forked.

The interpreter runs without ``site``, which may load anything that is installed: the few names that
it gives to programs are given here.
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
)  # others cost each program more, as memory that is copied, than the few that import them save
RECURSION_LIMIT = 1000


def warm_up() -> None:
    """Imports them and fixes what a program's verdict must not depend on."""
    for name in MODULES:
        importlib.import_module(name)
    sys.setrecursionlimit(RECURSION_LIMIT)
    for name in ("exit", "quit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
    builtins.help = _sitebuiltins._Helper()  # noqa: SLF001 - as site does
