"""The packages beside the standard library that tests and programs may import.

The tests of HumanEval+ and MBPP+ use NumPy. What is installed here is shown to the sandbox,
read-only; which versions that were stands in every summary.
"""

import importlib.metadata
import importlib.util
from pathlib import Path

PACKAGES = ("numpy",)


def versions() -> dict[str, str]:
    """Returns the packages that are installed, with their versions."""
    return {
        name: importlib.metadata.version(name)
        for name in PACKAGES
        if importlib.util.find_spec(name) is not None
    }


def folders() -> list[Path]:
    """Returns the folders of these packages, with those of the libraries that they bring."""
    found = []
    for name in versions():
        spec = importlib.util.find_spec(name)
        for folder in (spec.submodule_search_locations if spec else None) or ():
            libraries = Path(folder).with_name(f"{name}.libs")
            found += [Path(folder), *([libraries] if libraries.is_dir() else [])]
    return found
