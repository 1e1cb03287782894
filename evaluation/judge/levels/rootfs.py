"""What a sandbox's file system holds and how Python starts there, on any level.

The interpreter and shared libraries, read-only (see ``visible_files``), a few devices, and nothing
else; the modules that run inside come by the socket (see ``compiled_modules``). No process of the
judge imports anything from the working directory, from PYTHONPATH or from site-packages.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from evaluation.judge import sandbox_packages
from evaluation.judge.compiled_modules import read_bootstrap
from evaluation.judge.levels.visible_files import list_hidden, list_visible, replace_by_links

HOSTNAME = "judge"
FIRST_UID = 700_000  # as root, a sandbox's user: an unused one, so that process limits bind
ROOT = "/judge"
_TMP = "/tmp"  # noqa: S108 - the sandbox's
_COVERED = f"{ROOT}/covered"
_MOUNT_POINTS = (_TMP, "/dev", "/proc")
_JUDGE = Path(__file__).parents[1]
_LEVELS = __name__.rpartition(".")[0]
_PACKAGE = _LEVELS.rpartition(".")[0]  # in an installed package there is one more part in front
_PARENTS = _PACKAGE.split(".")
_PACKAGES = "packages"
_START = (
    "import sys; from importlib import import_module;"
    " name, folders, *sys.argv[1:] = sys.argv[1:];"
    " sys.path += folders.split(':'); import_module(name).main()"
)


@dataclass(frozen=True, kw_only=True)
class RootFS:
    """A sandbox's file system.

    Attributes:
        folders: To create, parents first.
        binds: What to bind read-only: source and target.
        hidden: Folders to cover with empty ones.
        links: Target and name of each.
        covered: What programs' own disks cover, and must be bound again: where it is otherwise,
            and where it belongs.
    """

    folders: tuple[str, ...]
    binds: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    covered: tuple[tuple[str, str], ...]


def describe_rootfs() -> RootFS:
    """Returns the file system for this machine's interpreter."""
    visible = list_visible()
    links = {path: replace_by_links(path) for path in visible}
    parents = {str(parent) for path in visible for parent in path.parents[:-1]}
    parents |= {str(path) for path in visible if links[path]}
    packages = sandbox_packages.list_folders()
    below_tmp = [str(path) for path in visible if path.is_relative_to(_TMP)]
    covered = [(f"{_COVERED}/{n}", path) for n, path in enumerate(below_tmp)]
    hidden = [str(folder) for folder in list_hidden(visible)]
    hidden += [
        other + folder.removeprefix(path)
        for other, path in covered
        for folder in hidden
        if folder.startswith(f"{path}/")
    ]
    return RootFS(
        folders=(*sorted(parents), ROOT, f"{ROOT}/{_PACKAGES}", _COVERED, *_MOUNT_POINTS),
        binds=(
            ("/usr/bin", "/usr/bin"),
            *((str(path), str(path)) for path in visible if not links[path]),
            *((path, other) for other, path in covered),
            *((str(package), f"{ROOT}/{_PACKAGES}/{package.name}") for package in packages),
        ),
        hidden=tuple(hidden),
        links=(
            *(link for path in visible for link in links[path]),
            *((f"usr/{name}", f"/{name}") for name in ("lib", "lib64", "bin")),
            (_TMP, "/dev/shm"),  # noqa: S108 - the sandbox's
        ),
        covered=tuple(covered),
    )


def link_packages(folder: Path) -> str:
    """Fills a folder with links to the packages, for levels that cannot bind them; returns it."""
    packages = folder / _PACKAGES
    packages.mkdir()
    for package in sandbox_packages.list_folders():
        (packages / package.name).symlink_to(package.resolve())
    return str(packages)


def build_supervisor_command(root: str) -> list[str]:
    """Returns the command that starts a supervisor.

    Args:
        root: The folder with ``packages``: :data:`ROOT`, or one filled by :func:`link_packages`.
    """
    text = read_bootstrap()
    return _build_python_command(text, f"{_PACKAGE}.inside.__main__", f"{root}/{_PACKAGES}")


def build_launcher_command(plan: str) -> list[str]:
    """Returns the command that starts the launcher, outside of any sandbox."""
    project = str(_JUDGE.parents[len(_PARENTS) - 1])
    return [*_build_python_command(_START, f"{_LEVELS}.launcher", project), plan]


def _build_python_command(text: str, module: str, folders: str) -> list[str]:
    """Returns the command that calls a module's ``main``, with these folders at the path's end."""
    interpreter = os.path.realpath(sys.executable)
    return [interpreter, "-P", "-B", "-s", "-S", "-c", text, module, folders]
