"""What a sandbox's file system holds, whichever way it is made.

The system's libraries and the interpreter, read-only; of this project only the modules that run
inside; a few devices; nothing else.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from evaluation.judge import packages

HOSTNAME = "judge"
FIRST_UID = 700_000  # of slots when started as root: nobody's, so that process limits bind
ROOT = "/judge"
PYTHON_PATH = f"{ROOT}:{ROOT}/packages"
_PACKAGE = Path(__file__).parents[1]  # evaluation/
_INSIDE = ("__init__.py", "judge/__init__.py", "judge/inside")


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
    ours = [ROOT, f"{ROOT}/evaluation", f"{ROOT}/evaluation/judge", f"{ROOT}/packages"]
    inside = [(str(_PACKAGE / name), f"{ROOT}/evaluation/{name}") for name in _INSIDE]
    libraries = [(str(p), f"{ROOT}/packages/{p.name}") for p in packages.folders()]
    return Layout(
        folders=(*parents, *ours, "/tmp", "/dev", "/proc"),  # noqa: S108 - inside
        binds=(
            ("/usr", "/usr"),
            *([(str(prefix), str(prefix))] if is_own else []),
            *inside,
            *libraries,
        ),
        links=(
            *((f"usr/{name}", f"/{name}") for name in ("lib", "lib64", "bin")),
            ("/tmp", "/dev/shm"),  # noqa: S108 - inside
        ),
    )


def supervisor_words() -> list[str]:
    """Returns the command that starts a supervisor, inside."""
    interpreter = os.path.realpath(sys.executable)
    return [interpreter, "-B", "-s", "-S", "-m", "evaluation.judge.inside"]
