"""The user's home, and where programs of this system keep files: data to keep, and caches."""

import os
import sys
from pathlib import Path

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
