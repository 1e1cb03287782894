"""Keeps the working folder and PYTHONPATH out of what our processes import.

An editor starts the server in a project's folder, with the project's environment: a ``json.py`` or
a package ``server`` there must not be imported. Entry points call :func:`isolate` before they
import anything else; the worker is started with :func:`child_environment`. What the interpreter
itself imports before the first line of a program (``sitecustomize``, for example) is out of reach.

This module imports only what every interpreter has loaded by then, since anything else might be
the project's.
"""

import os
import sys

_N_PARTS = __name__.count(".") + 1  # one more in a wheel: parrotlet.server.isolation
_IS_CHECKOUT = _N_PARTS == 2  # noqa: PLR2004 - server.isolation


def _parent(path: str, n_levels: int) -> str:
    for _ in range(n_levels):
        path = os.path.dirname(path)  # noqa: PTH120 - pathlib might be the project's
    return path


# What a project's environment may set so that an interpreter runs its code
FOREIGN_VARIABLES = (
    "PYTHONPATH",
    "PYTHONPYCACHEPREFIX",
    "PYTHONSTARTUP",
    "PYTHONWARNINGS",
    "PYTHONBREAKPOINT",
    "PYTHONINSPECT",
)
ROOT = _parent(os.path.abspath(__file__), _N_PARTS)  # noqa: PTH100 - as above


def isolate() -> None:
    """Reduces ``sys.path`` to the standard library, installed packages, and our own folder."""
    sys.path[:] = isolated_path(sys.path)
    sys.pycache_prefix = None  # a folder of compiled modules that need not be those of the sources
    for name in FOREIGN_VARIABLES:  # for child processes
        os.environ.pop(name, None)


def isolated_path(path: list[str]) -> list[str]:
    """Returns ``path`` without what comes before the standard library.

    That is the folder of the script or the working folder, and PYTHONPATH. Our own folder is kept:
    first in a checkout, since other packages may have the same names.
    """
    first = _index_of_library(path)
    if first is None:  # an interpreter with another layout
        return path
    installed = _site_folders()
    kept = [*path[first:], *(folder for folder in path[:first] if folder in installed)]
    if _IS_CHECKOUT:
        return [ROOT, *(folder for folder in kept if folder != ROOT)]
    return kept if ROOT in kept else [*kept, ROOT]


def child_environment() -> dict[str, str]:
    """Returns the environment for an interpreter started with ``-P``, which then finds us."""
    environment = {
        name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES
    }
    if ROOT not in _site_folders():
        environment["PYTHONPATH"] = ROOT
    return environment


def child_command(module: str) -> list[str]:
    """Returns the command that runs a module of ours, for :func:`child_environment`."""
    flags = ["-P", "-s"] if sys.flags.no_user_site else ["-P"]
    return [sys.executable, *flags, "-m", module]


def _index_of_library(path: list[str]) -> int | None:
    folder = _parent(os.__file__, 1)
    if folder not in path:
        return None
    first = path.index(folder)
    above = path[first - 1] if first else ""
    has_archive = above.endswith(".zip") and _parent(above, 1) == _parent(folder, 1)
    return first - 1 if has_archive else first


def _site_folders() -> set[str]:
    """Returns where packages are installed; empty if the interpreter runs without ``site``."""
    site = sys.modules.get("site")
    if site is None:
        return set()
    folders = set(site.getsitepackages())
    if site.ENABLE_USER_SITE:
        folders.add(site.getusersitepackages())
    return folders
