"""The working folders of programs that have no disk of their own: measured, bounded, removed.

With namespaces a program's disk is memory that is freed when it ends, so there is nothing to do.
"""

import os

from evaluation.judge.inside.plan import LANDLOCK, Plan

_BLOCK_BYTES = 512
_MAX_ENTRIES = 2048
_REMOVE, _CHANGE_MODE = "/bin/rm", "/bin/chmod"  # both cope with any depth


class Workdirs:
    """The folders, numbered by fork."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def is_too_full(self, number: int) -> bool:
        """Returns whether a program has written more bytes, or more files, than it may."""
        if self._plan.isolation != LANDLOCK:
            return False
        n_entries, n_bytes = 0, 0
        folders = [f"{self._plan.folder}/{number}"]
        while folders and n_entries <= _MAX_ENTRIES:
            try:
                for entry in _list_entries(folders.pop()):
                    n_entries += 1
                    n_bytes += entry.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
            except FileNotFoundError:  # the program has removed it meanwhile
                continue
            except OSError:  # its path is too long, say: what cannot be measured is too much
                return True
        return n_entries > _MAX_ENTRIES or n_bytes > self._plan.disk_bytes

    def remove(self, number: int) -> None:
        """Removes the folder of a program, which is dead."""
        if self._plan.isolation == LANDLOCK:
            remove_folder(f"{self._plan.folder}/{number}")


def remove_folder(folder: str) -> None:
    """Removes a folder with all that is in it, whatever its owner's permissions are."""
    for command in (
        [_REMOVE, "-rf", "--", folder],
        [_CHANGE_MODE, "-R", "u+rwx", "--", folder],
        [_REMOVE, "-rf", "--", folder],
    ):
        os.waitpid(_spawn(command), 0)
        if not os.path.lexists(folder):
            return


def _spawn(command: list[str]) -> int:
    silent = [(os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)]
    return os.posix_spawn(command[0], command, {}, file_actions=silent)


def _list_entries(folder: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except PermissionError:  # the program made it so that even its owner cannot list it
        os.chmod(folder, 0o700)  # noqa: PTH101 - lean
        with os.scandir(folder) as entries:
            return list(entries)
