"""Which of the machine's files a program may read: the interpreter, its library, shared libraries.

Not what is installed beside them: a benchmark in the interpreter's own ``site-packages`` would hand
a program the solutions that it is judged by.
"""

import os
import sys
from pathlib import Path

_MAX_LINKS = 8
# Folders of installed packages, relative to a folder that is visible.
_PACKAGE_FOLDERS = ("*-packages", "python*/*-packages", "pypy*/*-packages")


def list_visible() -> list[Path]:
    """Returns the files and folders that programs may read, except for what is hidden in them."""
    interpreter = Path(os.path.realpath(sys.executable))
    prefix = Path(sys.base_prefix).resolve()
    candidates = [
        *sorted(Path("/usr/lib").glob("*-linux-gnu*")),
        *sorted(Path("/usr/lib").glob("ld-*.so*")),
        Path("/usr/lib64"),
        *([Path("/usr/local/lib")] if _holds_libraries(Path("/usr/local/lib")) else []),
        Path("/usr/share/zoneinfo"),
        *((prefix / "lib", prefix / "lib64") if prefix != Path("/usr") else ()),
        Path(os.__file__).resolve().parent,
        interpreter,
        *_find_libpython(),
    ]
    if not (_holds_libc(candidates[0]) or _holds_libc(Path("/usr/lib64"))):
        candidates.insert(0, Path("/usr/lib"))  # one folder for all, as on Arch Linux
    visible: list[Path] = []
    for path in candidates:
        is_covered = any(path.is_relative_to(other) for other in visible)
        if path.exists() and not path.is_symlink() and not is_covered:
            visible.append(path)
    return visible


def replace_by_links(path: Path) -> tuple[tuple[str, str], ...]:
    """Returns links (target, name) that are all there is in a folder; none if there is more.

    Debian's ``/usr/lib64`` holds a link only. Each mount costs every program a little time.
    """
    parts = list(path.iterdir()) if path.is_dir() else []
    if len(parts) > _MAX_LINKS or not all(part.is_symlink() for part in parts):
        return ()
    return tuple((str(part.readlink()), str(part)) for part in parts)


def list_hidden(visible: list[Path]) -> list[Path]:
    """Returns the folders of installed packages in what is visible."""
    folders = {
        folder
        for path in visible
        for pattern in _PACKAGE_FOLDERS
        for folder in path.glob(pattern)
        if folder.is_dir() and not folder.is_symlink()
    }
    return sorted(folders)


def _holds_libraries(folder: Path) -> bool:
    """Returns whether there are shared libraries, other than those of an interpreter."""
    return any(not path.name.startswith("libpython") for path in folder.glob("lib*.so*"))


def _find_libpython() -> list[Path]:
    """Returns the library that this interpreter is linked to, which may be anywhere."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    mapped = {line.split(maxsplit=5)[-1] for line in maps}
    return sorted(Path(name) for name in mapped if Path(name).name.startswith("libpython"))


def _holds_libc(folder: Path) -> bool:
    return (folder / "libc.so.6").exists()
