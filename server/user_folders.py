"""The user's home, where programs of this system keep files, and where ours are installed."""

import os
import site
import sys
import sysconfig
from pathlib import Path

from server.isolation import ROOT

_DATA = {"darwin": "Library/Application Support", "win32": "AppData/Local"}
_CACHES = {"darwin": "Library/Caches", "win32": "AppData/Local"}


def find_data_folder() -> Path | None:
    """Returns the folder for data about the user.

    None if there is no such place: a user without a home folder, as in some containers.
    """
    return _find_folder("XDG_DATA_HOME", _DATA.get(sys.platform, ".local/share"))


def find_cache_folder() -> Path | None:
    """Returns the folder for what can be made again; None as for :func:`find_data_folder`."""
    return _find_folder("XDG_CACHE_HOME", _CACHES.get(sys.platform, ".cache"))


def is_home_or_above(folder: Path) -> bool:
    """Returns whether a folder is the user's home or above it, which is no workspace.

    The folder is not looked at, since its disk may be gone: links that lead home from it are for
    the caller to follow.
    """
    try:
        home = Path.home()
    except RuntimeError:
        return folder.parent == folder
    return any(one.is_relative_to(folder) for one in (home, Path(os.path.realpath(home))))


def redirect_caches(folder: Path) -> dict[str, str]:
    """Returns what to set in a process's environment for its caches to be in ``folder``."""
    variable = {"win32": "LOCALAPPDATA", "darwin": "HOME"}.get(sys.platform, "XDG_CACHE_HOME")
    return {variable: str(folder)}


def find_own_program(name: str) -> Path | None:
    """Returns a program that was installed with this package; None if there is none.

    It is beside Python in a virtual environment. Elsewhere, pip installs programs into a folder of
    their own, such as ``Scripts``, ``/usr/local/bin`` or ``~/.local/bin``.
    """
    folders = [Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))]
    if site.getusersitepackages() == ROOT:
        user_scheme = sysconfig.get_preferred_scheme("user")
        folders.insert(0, Path(sysconfig.get_path("scripts", user_scheme)))
    file = f"{name}.exe" if os.name == "nt" else name
    return next((folder / file for folder in folders if (folder / file).is_file()), None)


def _find_folder(xdg_variable: str, below_home: str) -> Path | None:
    variable = {"win32": "LOCALAPPDATA", "darwin": ""}.get(sys.platform, xdg_variable)
    if os.environ.get(variable):
        return Path(os.environ[variable]) / "parrotlet"
    if os.environ.get("HOME") == "":  # pathlib would name the root of the file system
        return None
    try:
        return Path.home() / below_home / "parrotlet"
    except RuntimeError:
        return None
