"""Modules that programs commonly import, loaded once before any of them is forked."""

import importlib
import sys

MODULES = (
    "bisect",
    "collections",
    "copy",
    "datetime",
    "decimal",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "math",
    "operator",
    "queue",
    "random",
    "re",
    "statistics",
    "string",
    "textwrap",
    "threading",
    "typing",
)
RECURSION_LIMIT = 1000


def warm_up() -> None:
    """Imports them and fixes what a program's verdict must not depend on."""
    for name in MODULES:
        importlib.import_module(name)
    sys.setrecursionlimit(RECURSION_LIMIT)
