"""Keeps the working folder and PYTHONPATH out of what our processes import.

An editor starts the server in the folder of a project, with the project's environment: a
``json.py`` or a package ``server`` there is none of ours. Entry points call :func:`isolate` before
they import anything else; the worker is started with :func:`child_environment`. What the
interpreter itself imports before a program's first line (``sitecustomize``, say) nobody can undo.

Of the standard library only what every interpreter has loaded by then is imported here, since
anything else might be the project's.
"""

import os
import sys

_N_PARTS = __name__.count(".") + 1  # one more in a wheel, where this is parrotlet.server
_IS_CHECKOUT = _N_PARTS == 2  # noqa: PLR2004 - server.isolation


def _parent(path: str, n_levels: int) -> str:
    for _ in range(n_levels):
        path = os.path.dirname(path)  # noqa: PTH120 - pathlib might be the project's
    return path


ROOT = _parent(os.path.abspath(__file__), _N_PARTS)  # noqa: PTH100 - as above


def isolate() -> None:
    """Leaves in ``sys.path`` the standard library, what is installed, and our own folder."""
    sys.path[:] = isolated_path(sys.path)
    os.environ.pop("PYTHONPATH", None)  # for processes that are started from here


def isolated_path(path: list[str]) -> list[str]:
    """Returns ``path`` without what stands before the standard library.

    These are the folder of the script or the working folder, and PYTHONPATH. Our own folder stays:
    first in a checkout, whose packages have names that others might have too.
    """
    first = _index_of_library(path)
    if first is None:  # nothing is known of this interpreter
        return path
    installed = _site_folders()
    kept = [*path[first:], *(folder for folder in path[:first] if folder in installed)]
    if _IS_CHECKOUT:
        return [ROOT, *(folder for folder in kept if folder != ROOT)]
    return kept if ROOT in kept else [*kept, ROOT]


def child_environment() -> dict[str, str]:
    """Returns the environment for an interpreter started with ``-P``, so that it finds us."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if ROOT not in _site_folders():
        environment["PYTHONPATH"] = ROOT
    return environment


def _index_of_library(path: list[str]) -> int | None:
    folder = _parent(os.__file__, 1)
    if folder not in path:
        return None
    first = path.index(folder)
    above = path[first - 1] if first else ""
    has_archive = above.endswith(".zip") and _parent(above, 1) == _parent(folder, 1)
    return first - 1 if has_archive else first


def _site_folders() -> set[str]:
    """Returns where packages are installed; empty if the interpreter was told to look nowhere."""
    site = sys.modules.get("site")
    if site is None:
        return set()
    folders = set(site.getsitepackages())
    if site.ENABLE_USER_SITE:
        folders.add(site.getusersitepackages())
    return folders
