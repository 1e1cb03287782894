"""The packages beside the standard library that tests and programs may import.

The tests of HumanEval+ and MBPP+ use NumPy. The sandbox sees the installed copy, read-only; every
summary records its version.
"""

import importlib.metadata
import importlib.util
from pathlib import Path

PACKAGES = ("numpy",)


def list_versions() -> dict[str, str]:
    """Returns the version of each of these packages that is installed."""
    return {
        name: importlib.metadata.version(name)
        for name in PACKAGES
        if importlib.util.find_spec(name) is not None
    }


def list_folders() -> list[Path]:
    """Returns the folders of these packages and of the shared libraries bundled with them."""
    folders = []
    for name in list_versions():
        spec = importlib.util.find_spec(name)
        for folder in (spec.submodule_search_locations if spec else None) or ():
            libraries = Path(folder).with_name(f"{name}.libs")
            folders += [Path(folder), *([libraries] if libraries.is_dir() else [])]
    return folders
