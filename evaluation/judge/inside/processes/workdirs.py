"""The working folders of programs that have no disk of their own: measured, bounded, removed.

With namespaces a program's disk is memory that is freed when it ends, so there is nothing to do.
"""

import contextlib
import os
import stat

from evaluation.judge.inside.plan import LANDLOCK, Plan

_BLOCK_BYTES = 512
_MAX_ENTRIES = 2048
_DELETED = b" (deleted)\n"
_REMOVE, _CHANGE_MODE = "/bin/rm", "/bin/chmod"  # both cope with any depth


class Workdirs:
    """The folders, numbered by fork."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def is_too_full(self, number: int, pid: int) -> bool:
        """Returns whether a program has written more bytes, or more files, than it may.

        Args:
            number: Its folder's.
            pid: Its process, which may keep files open that it has deleted.
        """
        if self._plan.isolation != LANDLOCK:
            return False
        n_entries, n_bytes = 0, _measure_deleted_files(pid, self._plan)
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


def _measure_deleted_files(pid: int, plan: Plan) -> int:
    """Returns the bytes of the files that a process has deleted and not closed.

    One that is mapped but not open cannot be measured, and counts as more than a program may write;
    so does a process that hides what it has open.
    """
    sizes: dict[int, int] = {}
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - lean
            with contextlib.suppress(OSError):  # it has closed it
                found = os.stat(f"/proc/{pid}/fd/{name}")  # noqa: PTH116 - lean
                if stat.S_ISREG(found.st_mode) and not found.st_nlink:
                    sizes[found.st_ino] = found.st_blocks * _BLOCK_BYTES
        with open(f"/proc/{pid}/maps", "rb") as file:  # noqa: PTH123 - lean
            for line in file:
                if line.endswith(_DELETED) and plan.folder.encode() in line:
                    sizes.setdefault(int(line.split(maxsplit=5)[4]), plan.disk_bytes + 1)
    except PermissionError:
        return plan.disk_bytes + 1
    except OSError:  # it has ended
        return 0
    return sum(sizes.values())


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
