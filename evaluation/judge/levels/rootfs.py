"""What a sandbox's file system holds and how Python starts there, whichever way it is made.

The system's libraries and the interpreter, read-only; of this project only the modules that run
inside; a few devices; nothing else. No process of the judge imports anything from the working
directory, from PYTHONPATH or from site-packages.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from evaluation.judge import sandbox_packages

HOSTNAME = "judge"
FIRST_UID = 700_000  # of slots when started as root: nobody's, so that process limits bind
ROOT = "/judge"
_JUDGE = Path(__file__).parents[1]
_LEVELS = __name__.rpartition(".")[0]
_PACKAGE = _LEVELS.rpartition(".")[0]  # an installed package has one more in front
_PARENTS = _PACKAGE.split(".")
_INSIDE = f"{'/'.join(_PARENTS)}/inside"
_START = (
    "import sys; from importlib import import_module;"
    " name, folders, *sys.argv[1:] = sys.argv[1:];"
    " sys.path += folders.split(':'); import_module(name).main()"
)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Folders to make, then what is bound read-only (source, target), then links (to, name)."""

    folders: tuple[str, ...]
    binds: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]


def layout() -> Layout:
    """Returns the file system for this machine's interpreter."""
    prefix = Path(sys.base_prefix).resolve()
    is_own = not prefix.is_relative_to("/usr")
    parents = [str(parent) for parent in reversed(prefix.parents[:-1])] if is_own else []
    ours = [f"{ROOT}/{'/'.join(_PARENTS[:n])}" for n in range(1, len(_PARENTS) + 1)]
    libraries = [(str(p), f"{ROOT}/packages/{p.name}") for p in sandbox_packages.folders()]
    return Layout(
        folders=(*parents, ROOT, *ours, f"{ROOT}/packages", "/tmp", "/dev", "/proc"),  # noqa: S108 - inside
        binds=(
            ("/usr", "/usr"),
            *([(str(prefix), str(prefix))] if is_own else []),
            (str(_JUDGE / "inside"), f"{ROOT}/{_INSIDE}"),
            *libraries,
        ),
        links=(
            *((f"usr/{name}", f"/{name}") for name in ("lib", "lib64", "bin")),
            ("/tmp", "/dev/shm"),  # noqa: S108 - inside
        ),
    )


def link_modules(folder: Path) -> str:
    """Fills a folder with links to what :func:`layout` binds, where nothing can be bound.

    Returns:
        The folder of the links to other packages.
    """
    inside = folder / _INSIDE
    inside.parent.mkdir(parents=True)
    inside.symlink_to(_JUDGE / "inside")
    shown = folder / "packages"
    shown.mkdir()
    for package in sandbox_packages.folders():
        (shown / package.name).symlink_to(package.resolve())
    return str(shown)


def supervisor_words(root: str) -> list[str]:
    """Returns the command that starts a supervisor.

    Args:
        root: The folder that :func:`layout` or :func:`link_modules` has filled.
    """
    return _python_words(f"{_PACKAGE}.inside.__main__", f"{root}:{root}/packages")


def launcher_words(plan: str) -> list[str]:
    """Returns the command that starts the launcher, outside of any sandbox."""
    return [*_python_words(f"{_LEVELS}.launcher", str(_JUDGE.parents[len(_PARENTS) - 1])), plan]


def _python_words(module: str, folders: str) -> list[str]:
    """Returns the command that runs a module's ``main`` with these folders behind the library's."""
    interpreter = os.path.realpath(sys.executable)
    return [interpreter, "-P", "-B", "-s", "-S", "-c", _START, module, folders]
